"""Signing in with an account that the platform or a clinic has elsewhere: OpenID Connect, with a code and PKCE.

    provider   asks the provider: where its parts are, its keys, and the ID token of a code
    id_token   what an ID token must be to be believed
    rights     what a person's claims let them do here
    routes     to the provider, and back from it

Who has signed in is a session (``console/session.py``): what they may do, sealed in a cookie, until it ends.
"""
