"""What pyproject.toml cannot say: packages that are found, and two that live elsewhere."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["dadao_sim", "dadao_sim.*"]),
        "dadao_sim.shipped.graphs",
        "dadao_sim.shipped.scenarios",
    ]
)
