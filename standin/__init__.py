"""The outside world over real HTTP: the Telegram Bot API and the OpenAI API with real limits, error bodies and
faults on request. For demo, tests and benchmarks; it knows wire formats only and nothing of the product.
"""
