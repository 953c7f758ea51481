"""A private copy of the system: services and processes of its own, customers who write to it, and what became of that.

The product has it because the drill (`./switchboard drill`) needs it wherever it runs; the end-to-end tests and benches
start the same copy, so that what they see is what the drill sees. system.py runs the copy, bots.py and places.py
connect channels and write their platforms' requests, traffic.py plays the customers, checks.py compares what was
accepted with what arrived.
"""
