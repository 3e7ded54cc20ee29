"""`simclient completion`: what makes a shell complete commands and options."""

from __future__ import annotations

from typing import Literal

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print what makes a shell complete commands and options.

    $ source <(simclient completion bash)
    $ simclient completion zsh > ~/.zsh/completions/_simclient
    $ simclient completion fish > ~/.config/fish/completions/simclient.fish

    Args:
        shell: The shell.
    """
    from .app import build_app
    from .watching import print_line

    print_line(build_app(is_listing=False).generate_completion(shell=shell))
    return 0
