"""Groups of options: a command takes a group as one parameter, and the command line shows a parameter per option."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


class Options:
    """Base of the groups: dataclasses whose fields are options."""

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns a keyword parameter for each option of the group."""
        kinds = get_type_hints(cls, include_extras=True)
        fields = [field for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
        return [parameter(field.name, kinds[field.name], field.default) for field in fields]


def parameter(name: str, annotation: Any, default: Any = dataclasses.MISSING) -> inspect.Parameter:
    """Returns the keyword parameter of an option."""
    default = inspect.Parameter.empty if default is dataclasses.MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces each parameter of a command that is a group by a keyword parameter per option of the group."""
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters.values()
    groups = {p.name: hints[p.name].parameters() for p in own if _is_group(hints[p.name])}

    def wrapper(**given: Any) -> None:
        for name, parameters in groups.items():
            given[name] = hints[name](**{parameter.name: given.pop(parameter.name) for parameter in parameters})
        command(**given)

    spread = [groups.get(p.name) or [p.replace(annotation=hints[p.name])] for p in own]
    parameters = [parameter for part in spread for parameter in part]
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)
