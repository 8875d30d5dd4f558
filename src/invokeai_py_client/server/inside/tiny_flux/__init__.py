"""An InvokeAI node pack that makes FLUX.1 small. For tests only: full-size FLUX models do not load with it.

InvokeAI 6.14 does not read the sizes of a FLUX checkpoint from the file, but from two tables in
``invokeai.backend.flux.util``. InvokeAI imports the node packs in its root at startup. This pack has no nodes; it only
changes the tables. Loaders, nodes and the queue are not changed.
"""

# pyright: basic, reportMissingImports=false

from invokeai.backend.flux import util

TRANSFORMER = {
    "vec_in_dim": 768,  # as wide as CLIP-L
    "context_in_dim": 64,  # as wide as the tiny T5
    "hidden_size": 64,
    "num_heads": 4,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],  # adds up to hidden_size / num_heads
}
AUTOENCODER = {"ch": 32, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1}


def _shrink(params: object, sizes: dict[str, object]) -> None:
    for name, size in sizes.items():
        setattr(params, name, size)


for _params in util._flux_transformer_params.values():
    _shrink(_params, TRANSFORMER)
_shrink(util._flux_ae_params, AUTOENCODER)
