"""What the law asks of a model by its class of risk, as tables; and whether a recipe has it.

Regulation (EU) 2024/1689, the EU's AI Act. The engine gives evidence, not legal compliance.
"""
