"""How busy the experts of a mixture are (`model.experts`): keeps them equally busy, and reports it.

Axes: Y layers, E experts.
"""

from collections.abc import Callable

from torch import Tensor

from model.network.decoder import Decoder


class Usage:
    """Counts how often each expert is chosen, over all parts and devices of an update.

    Args:
        network: The trained network; without experts, nothing is counted or reported.
    """

    def __init__(self, network: Decoder) -> None:
        self._experts = list(network.experts().values())
        self._network = network
        self._update_YE: Tensor | None = None
        self._reported_YE: Tensor | None = None

    def add(self) -> None:
        """Counts the choices of the last pass; to be called once after each pass of an update."""
        loads_YE = self._network.loads()
        if loads_YE is not None:
            self._update_YE = loads_YE if self._update_YE is None else self._update_YE + loads_YE

    def settle(self, total: Callable[[Tensor], Tensor], *, good: bool) -> None:
        """Moves the experts' biases after an update (`Experts.balance`), but not beside a router that isn't trained.

        Args:
            total: Sums a tensor over the devices.
            good: Whether the weights were updated; if not, nothing counts.
        """
        if self._update_YE is None:
            return
        loads_YE, self._update_YE = total(self._update_YE), None
        if not good:
            return
        self._reported_YE = loads_YE if self._reported_YE is None else self._reported_YE + loads_YE
        for part, load_E in zip(self._experts, loads_YE, strict=True):
            if part.router.requires_grad:
                part.balance(load_E)

    def report(self) -> dict[str, float]:
        """Returns the values since the last report, and forgets them.

        Returns:
            `experts/load_Y_E`, how often expert E of block Y (both from 0) was chosen, as a multiple of the mean; and
            `experts/violation`, by how much the busiest one of all blocks exceeds that mean (MaxVio, section 4.1 of
            https://arxiv.org/abs/2408.15664; 0 if all are equally busy).
        """
        if self._reported_YE is None:
            return {}
        loads_YE = self._reported_YE.double()
        shares = (loads_YE / loads_YE.mean(1, keepdim=True)).tolist()
        self._reported_YE = None
        values = {f"experts/load_{y}_{e}": share for y, row in enumerate(shares) for e, share in enumerate(row)}
        return {"experts/violation": max(map(max, shares)) - 1, **values}
