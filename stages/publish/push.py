"""Uploads a file or a folder to a repository of the Hugging Face hub.

The token is the hub's own: `HF_TOKEN`, or what `hf auth login` stored. An upload that was cut off goes on when it is
started again: the hub has what was uploaded, and files that are the same aren't sent again.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, cast

from stages.errors import MachineError, MissingInputError, UsageError

Kind = Literal["model", "dataset"]
CARD = "README.md"
_LOGIN = "Log in with `hf auth login`, or set `HF_TOKEN` to a token that may write"


def check_repo(repo: str, *, needs_token: bool = True) -> None:
    """Checks the name of a repository, and that there is a token; reaches no network.

    Raises:
        UsageError: if the name isn't one, or without a token.
    """
    from huggingface_hub import get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(f"`--push` must name a repository as OWNER/NAME, but is `{repo}`: {_line(error)}") from error
    if repo.count("/") != 1:
        raise UsageError(f"`--push` must name a repository as OWNER/NAME, but is `{repo}`.")
    if needs_token and not get_token():
        raise UsageError(f"`--push` needs a token of the hub, but there is none. {_LOGIN}.")


def listing(path: Path, card: str | None = None) -> list[tuple[str, int]]:
    """Returns the files that `push` uploads: their paths in the repository, and bytes."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    root = path.parent if path.is_file() else path
    found = {str(one.relative_to(root)): one.stat().st_size for one in files}
    if card is not None:
        found[CARD] = len(card.encode())
    return sorted(found.items())


def push(path: Path, repo: str, kind: Kind, *, card: str | None = None, public: bool = False) -> str:
    """Uploads a folder, or a file with a card beside it, to a repository, which is made if it isn't there.

    Args:
        path: The file or folder.
        repo: `OWNER/NAME`.
        kind: What the repository holds.
        card: The text of its README.md, for a file; a folder has its own.
        public: Whether everyone may see a repository that is made; one that is there stays as it is.

    Returns:
        The repository's address.

    Raises:
        UsageError: without a token, or if the name isn't one.
        MissingInputError: if the hub refuses the token, or there is no such owner.
        MachineError: if the hub can't be reached or fails.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    check_repo(repo)
    # Whichever library of HTTP the hub's package uses, its errors are of these kinds.
    network: tuple[type[Exception], ...] = (OSError, *cast("tuple[type[Exception], ...]", HfHubHTTPError.__bases__))
    api = HfApi()
    try:
        made = api.create_repo(repo, repo_type=kind, private=not public, exist_ok=True)
        with TemporaryDirectory() as folder:
            whole = path if path.is_dir() else _folder(path, card, Path(folder))
            api.upload_folder(repo_id=repo, repo_type=kind, folder_path=whole, commit_message="Upload by valle-prep")
    except network as error:
        raise _told(error, repo, api.endpoint) from error
    return str(made)


def _folder(path: Path, card: str | None, folder: Path) -> Path:
    """Fills a folder with a link to a file, and its card."""
    (folder / path.name).symlink_to(path.resolve())
    if card is not None:
        (folder / CARD).write_text(card, encoding="utf-8")
    return folder


def _told(error: Exception, repo: str, endpoint: str) -> Exception:
    """Returns what to tell of an error of the hub or of the network."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return MissingInputError(
            f"`--push {repo}` was refused by {endpoint} ({status}): the token is wrong, or may not write there."
            f" {_LOGIN}."
        )
    if status == 404:
        return MissingInputError(
            f"`--push {repo}` found no such repository or owner at {endpoint} (404). Check the name, and that the token"
            " may see it."
        )
    if status is not None:
        return MachineError(
            f"`--push {repo}` failed at {endpoint} ({status}): {_line(error)} Run the same command to go on."
        )
    return MachineError(
        f"`--push {repo}` couldn't reach {endpoint}: {_line(error)} Check the network, and run the same command to go"
        " on."
    )


def _line(error: Exception) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if text.endswith(".") else f"{text}."
