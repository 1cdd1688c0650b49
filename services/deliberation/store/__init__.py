"""All SQL of deliberation: `reading` answers questions, `writing` changes rows, `slots` finds and books."""
