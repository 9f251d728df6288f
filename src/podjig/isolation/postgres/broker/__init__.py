"""The process that keeps clones of templates ready for all test processes that use one server, and drops used ones.

=================  ==============================================================================
``launch.py``      find it or start it, from a test process
``process.py``     its first lines
``broker.py``      what it decides: who gets what, what is made and dropped next, when it ends
``clients.py``     what it knows of each test process
``hands.py``       its threads, which do the work on the server
``messages.py``    what both sides say to each other
``orphans.py``     whose a database is that nobody speaks for any more
=================  ==============================================================================
"""
