"""All SQL of routing: `writing` changes cases, `reading` answers questions about them."""
