"""The drill: faults in a private copy of the system (workers/sandbox), and a scorecard of what they did to it.

stage.py plays one fault; kills.py, outages.py, failover.py and outside.py hold the faults; scorecard.py says how it
went.
"""
