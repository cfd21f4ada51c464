"""``make vapi-probe``: what is not published about Vapi's API, asked of Vapi, beside what the sandbox does."""
