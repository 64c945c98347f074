"""Published models of land carbon, each a small file: equation, numbers with sources, a factory."""

from landcarbon.models.century import century3, century7
from landcarbon.models.dalec import dalec5
from landcarbon.models.emanuel import emanuel5
from landcarbon.models.microbial import microbial4
from landcarbon.models.parameters import Parameter, ParameterTable
from landcarbon.models.pools import one_pool, three_pool, two_pool
from landcarbon.models.teco import teco8

__all__ = [
    "Parameter",
    "ParameterTable",
    "century3",
    "century7",
    "dalec5",
    "emanuel5",
    "microbial4",
    "one_pool",
    "teco8",
    "three_pool",
    "two_pool",
]
