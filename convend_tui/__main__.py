"""`python -m convend_tui` is `convend`."""

from convend_tui.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
