"""Everything that is known of a thing on one page of text, in the order in which whoever is on call reads it.

::

    page       what such a page is made of, and the words that several share
    clinic     a clinic, as the console's page of it
    assistant  an assistant, now or as of a time
    fleet      a tool, and a rollout or a plan
    finding    which of them somebody means

It reads what the console's pages read, and says it in the same sentences.
"""
