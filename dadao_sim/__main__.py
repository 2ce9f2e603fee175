"""The command line as ``python -m dadao_sim``."""

from dadao_sim.cli.main import main

if __name__ == "__main__":
    main()
