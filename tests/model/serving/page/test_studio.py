"""What the tabs share: the words of messages."""

import pytest

pytestmark = pytest.mark.usefixtures("gradio")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("cut: raise --max-s", "cut: raise “Longest speech”"),
        ("try another --seed", "try another seed"),
        ("`beam_width` must be left out. Use `--mode ar`.", "“beam_width” must be left out. Use the mode ar."),
        ("Leave it out (`prompt_text`, `--ref-text`).", "Leave it out (“What the recording says”)."),
        ("the model is sure; --min-temperature then counts", "the model is sure; “min-temperature” then counts"),
        ("-1 -- is off", "-1 -- is off"),
    ],
)
def test_messages_name_what_the_page_has(said: str, told: str) -> None:
    from model.serving.page.studio import in_words

    assert in_words(said) == told
