"""Tables for crowdsourcing: tasks, qualification of annotators, cleaning of their texts."""
