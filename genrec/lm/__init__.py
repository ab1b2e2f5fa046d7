"""Who answers: the embedded model or any dspy.LM, how to speak to it, and what it costs."""
