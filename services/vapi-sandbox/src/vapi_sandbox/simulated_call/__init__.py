"""A simulated call: an assistant's model uses its tools, and our servers get the webhooks that Vapi would send.

    order ──► toolbox ──► server ──► webhook ──► messenger ──► results ──► report
              (what the   (where     (the body)  (attempts,    (what the
              model has)  it goes)               back-off)     model hears)

`simulator` shows the whole way; everything but `messenger` is a function of values.
"""
