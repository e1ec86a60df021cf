"""`python -m vlm_grpo.tasks.jsonl`, see `vlm_grpo.tasks.jsonl.command`."""

from vlm_grpo.tasks.jsonl.command import main

if __name__ == "__main__":
    main()
