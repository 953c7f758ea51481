"""The drill: a private copy of the system, traffic, faults, and a scorecard of what they did to it.

system.py runs the copy, traffic.py plays the customers, faults.py does the harm, checks.py compares what was accepted
with what arrived, scorecard.py says how it went. The end-to-end tests stand on the first, second and fourth.
"""
