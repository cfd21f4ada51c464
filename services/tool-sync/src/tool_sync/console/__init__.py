"""The console: pages for people at ``/console``, of the same read models and commands as HTTP and the command line.

    session   the caller's own token in a sealed cookie, which becomes the request's ``Authorization``
    access    what each page needs of it (one closed table), and forms that nobody else can have sent
    state     what the process keeps for pages, and a connection that reads for one
    pages     templates: what a page is made with, and what every page shows
    lights    the five lights, on every page of the platform's
    …         one module per page, of the name of its template

A page is whole without JavaScript; htmx only loads parts of it again. Nothing is loaded from anywhere else.
"""
