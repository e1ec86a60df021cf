"""`python -m vlm_grpo.merge`: merge an adapter into its base, see `command`."""

from vlm_grpo.merge.command import main

if __name__ == "__main__":
    main()
