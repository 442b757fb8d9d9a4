"""Plain modern English sentences, made from patterns with words in their slots.

Patterns and words were written for this project and share its licence. The sentences are ordinary, not meaningful: they
cover the phonemes, questions, and the short words that older texts lack.
"""

import random
import re
from collections.abc import Iterator

_WORDS = {
    "name": "Adam Alice Anna Arthur Beth Boris Carla Charles Chloe Clara Daniel David Diana Edward Ella Emma Ethan "
    "Felix Fiona Frank George Grace Hannah Harry Helen Hugh Irene Isaac Jack Jane Jessica John Joyce Julia Karen "
    "Keith Laura Leo Lily Louis Lucy Margaret Mark Martha Mary Michael Nina Noah Oliver Olivia Oscar Paul Peter "
    "Philip Rachel Ralph Richard Robert Rose Ruth Samuel Sarah Sophie Stephen Susan Theodore Thomas Toby Tracy Vera "
    "Victor Walter William Yvonne Zoe",
    "person": "baker barber boxer brother butcher captain carpenter cashier chemist clerk coach cook cousin dancer "
    "dentist doctor driver editor engineer farmer father fisherman gardener guard guide hunter janitor joiner judge "
    "juggler lawyer librarian mayor mechanic miner mother musician neighbour nurse officer painter pilot plumber "
    "poet porter priest professor sailor scholar singer sister soldier student surgeon tailor teacher thief "
    "traveller uncle usher waiter weaver witness writer",
    "thing": "alarm anchor apple arrow badge ball banjo basket bell bicycle blanket boat book bottle bowl box bridge "
    "broom brush bucket button cabin cable camera candle carpet chain chair chart clock cloth coat coin compass "
    "computer cord couch cradle crown cup curtain desk diary door drawer drum engine envelope fence flag flute fork "
    "frame furnace gate glass glove guitar hammer harp hat helmet hinge hook jacket jar jewel jug kettle key kite "
    "knife ladder lamp letter lock map mask mirror nail necklace needle notebook oar oven page parcel pen pencil "
    "phone piano picture pillow pipe plate plough pot purse puzzle quilt radio razor ribbon ring rope ruler saddle "
    "saw scarf shawl sheet shelf shield shoe shovel spoon stamp statue stool stove suitcase sword table tent thread "
    "ticket torch towel toy treasure trophy trumpet trunk umbrella vase violin wagon wallet watch wheel whistle "
    "window wire yacht zipper",
    "animal": "bat bear beaver bee bird buffalo butterfly calf camel cat chicken cow crab crow deer dog donkey duck "
    "eagle elephant fish fox frog giraffe goat goose hawk hen horse jaguar jellyfish kitten lamb lion lizard monkey "
    "moth mouse mule owl ox panther parrot pigeon pony puppy rabbit rat robin seal shark sheep snail snake sparrow "
    "spider squirrel swan tiger toad turkey turtle vulture whale wolf worm zebra",
    "place": "airport attic avenue bakery bank barn basement beach bridge camp canyon castle cathedral cave cellar "
    "chapel church city cliff corner cottage courtyard desert factory farm field forest garage garden gallery hall "
    "harbour hill hospital hotel island kitchen lake library lighthouse market meadow mill museum office orchard "
    "palace park pasture pier prison quarry restaurant river road school shore shop square stable stadium station "
    "street studio swamp temple theatre tower town tunnel university valley village vineyard warehouse workshop zoo",
    "adjective": "ancient angry awful beautiful blue bright broken brown calm careful cheap clean clever cold "
    "curious dark deep dirty dry dull dusty empty enormous fair faithful famous fancy fierce fresh friendly gentle "
    "gloomy golden good gorgeous green grey happy hard heavy hollow honest huge humble hungry icy jealous joyful "
    "kind large lazy little lonely long loose loud lovely lucky mild modern narrow nervous new noisy odd old orange "
    "pale patient plain pleasant polite poor precious proud purple quick quiet rare red rough round rusty sad sharp "
    "short shy silent silver simple sleepy slow small smooth soft sour spare square steep strange strong sudden "
    "sweet tall thick thin tidy tiny tired usual valuable vast warm weak weird wet white wide wild wise wooden "
    "worthy yellow young",
    "did": "admired bought borrowed broke brought carried caught chose cleaned copied counted covered described "
    "discovered drew dropped emptied examined explained fetched fixed followed forgot found gave guarded hid ignored "
    "imagined inspected judged kept kicked lifted lost loved made measured mended missed moved needed noticed "
    "offered opened packed painted paid passed placed pulled pushed raised received refused remembered repaired "
    "returned reached saved searched shook showed sold solved stole studied threw touched treated turned used viewed "
    "wanted washed watched wore worshipped wrapped",
    "do": "admire borrow break bring buy carry catch choose clean copy count cover describe discover draw drop "
    "examine explain fetch fix follow forget find guard hide ignore imagine judge keep lift lose measure mend miss "
    "move need notice offer open pack paint pass push raise receive refuse remember repair return save search share "
    "show sell solve study throw touch treat use want wash watch wear wrap",
    "went": "climbed crawled danced drove fell flew galloped hurried jogged jumped journeyed leaned limped marched "
    "moved paused raced ran rode rolled rushed sailed sat shouted sighed slept slipped stood strolled stumbled swam "
    "travelled turned vanished waited walked wandered whispered yawned",
    "how": "badly boldly bravely calmly carefully cheerfully clearly closely eagerly easily fiercely finally firmly "
    "freely gently gladly happily honestly hopefully joyfully kindly lately loudly mostly nearly nervously oddly "
    "patiently politely properly proudly quickly quietly rarely really roughly sadly safely secretly seldom sharply "
    "silently slowly smoothly softly strangely suddenly surely sweetly thoughtfully together usually warmly weakly "
    "widely wisely",
    "when": "after breakfast|after dinner|all afternoon|all day|at dawn|at dusk|at noon|before lunch|before sunrise|"
    "during the winter|every evening|every morning|every other week|in April|in August|in December|in January|"
    "in July|in the autumn|in the spring|last month|last night|last Thursday|late on Friday|next year|on Monday|"
    "on Saturday|on Sunday|on Tuesday|on Wednesday|once a year|the other day|this June|this week|three days ago|"
    "twice a day|two hours later|yesterday",
    "number": "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fifteen|sixteen|twenty|thirty|"
    "forty|fifty|sixty|ninety|a hundred|a thousand|a few|several|many",
    "things": "apples arrows badges baskets bells boats books bottles boxes branches buttons candles chairs children "
    "cherries clouds coins cups doors dreams eggs feathers flowers friends gloves hours horses houses jewels keys "
    "ladders leaves letters lights matches miles months mountains mushrooms nights oranges oysters pages pairs "
    "peaches pictures pieces pigeons plates ploughs pounds prizes questions quilts rings roses sandwiches shadows "
    "shirts shoes songs soldiers stars stories strangers thieves tickets towels toys treasures trees vegetables "
    "villages voices watches wheels windows wishes years",
    "food": "beef bread broth butter cabbage cake cheese chicken chocolate coffee corn cream curry fish fruit garlic "
    "ginger gravy ham honey ice jam juice lemonade meat milk mustard oil onion soup pasta pepper pie porridge "
    "pudding rice salad salt sauce sugar tea toast turkey vinegar water yoghurt",
    "stuff": "advice art brass chalk clay courage dust earth fear fire fog freedom glue gold grass hope iron joy "
    "justice knowledge leather luck measure moonlight mud music news noise pleasure power rain sand silk smoke snow "
    "steel straw sunshine thunder time truth wealth weather wind wisdom wood wool work",
    "be": "afraid alone asleep away awake aware busy certain close curious free glad late ready sick sorry sure",
    "mine": "my your his her our their",
}
"""Words for the slots, each a group between spaces, or between `|` where it has spaces."""

_PATTERNS = (
    "{name} {did} the {adjective} {thing} {when}.",
    "The {adjective} {person} {went} {how} towards the {place}.",
    "Did {name} {do} {mine} {thing} or the {adjective} one?",
    "{mine} {person} {did} {number} {things} from the {place}.",
    "Why would the {person} {do} such a {adjective} {thing}?",
    "{name} and {name} {went} past the {adjective} {place}.",
    "A {adjective} {animal} {went} {how} behind {mine} {thing}.",
    "There were {number} {things} beside the {adjective} {place}.",
    "I can't {do} the {thing} without {mine} {person}.",
    "We shouldn't {do} {adjective} {things} {when}.",
    "{name} never {did} the {animal} near the {place}.",
    "Could you {do} this {adjective} {thing} for {name}?",
    "When the {animal} {went} away, {name} {did} the {thing}.",
    "The {person} said that {name} would {do} {number} {things}.",
    "If it rains {when}, {name} won't {do} the {thing}.",
    "{name} likes {food} with {food}, but not {food}.",
    "Please {do} the {thing} before {name} comes to the {place}.",
    "They {how} {did} {mine} {adjective} {thing}.",
    "Nobody in the {place} {did} the {person}'s {thing}.",
    "{name} was {be} because the {animal} {went} {how}.",
    "Is the {adjective} {thing} yours, or does {name} {do} it?",
    "He {did} {stuff} and {stuff} for {number} {things}.",
    "She {went} through the {place} with a {adjective} {animal}.",
    "It takes {stuff} to {do} a {thing} like {mine} {person}.",
    "What did the {adjective} {person} {do} {when}?",
    "{when}, the {person} {went} to the {place} by the {place}.",
    "The {thing} that {name} {did} is {adjective} and {adjective}.",
    "Let's {do} the {things} and {do} the {animal}.",
    "Both the {person} and the {person} {did} {food}.",
    "You'd better {do} that {adjective} {animal}, {name}.",
    "{name} paid {number} pounds for a {adjective} {thing}.",
    "No {animal} is as {adjective} as {mine} {person}.",
    "Every {person} {did} the {things}, {when} at least.",
    "How many {things} does {name} {do} at the {place}?",
    "{mine} {adjective} {animal} {did} the {food} and {went} off.",
    "Whose {thing} is under the {person}'s {adjective} {thing}?",
    "The {place} smelled of {food}, {stuff} and {stuff}.",
    "I've {how} {did} {things} since {name} {went} here.",
    "{name}, who was {be}, {did} the {person} {how}.",
    "Although the {place} was {adjective}, {name} {did} a {thing}.",
    "Where shall we {do} the {adjective} {things}, {name}?",
    "It isn't {stuff} but {stuff} that makes {things} {adjective}.",
    "They'll {do} {number} {things} {when}, won't they?",
    "Neither {name} nor the {adjective} {person} {did} {stuff}.",
    "While {name} {went} {how}, the {person} {did} {food}.",
)
_SLOT = re.compile(r"\{(\w+)\}")
_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeio]|un(?!i)|um|usher|honest)")

PATTERNS = len(_PATTERNS)
"""Number of patterns."""


WORDS = {slot: tuple(told.split("|" if "|" in told else None)) for slot, told in _WORDS.items()}
"""The words of each slot."""


def modern_sentences(seed: int = 0) -> Iterator[str]:
    """Yields sentences without end, pattern after pattern, each with words drawn anew; some come twice.

    Args:
        seed: Of the draws. The same seed gives the same sentences.
    """
    rng = random.Random(seed)
    while True:
        for pattern in _PATTERNS:
            yield _filled(pattern, rng)


def _filled(pattern: str, rng: random.Random) -> str:
    used: set[str] = set()

    def word(slot: re.Match[str]) -> str:
        while (found := rng.choice(WORDS[slot[1]])) in used:
            pass
        used.add(found)
        return found

    text = _BEFORE_VOWEL.sub(r"\1n ", _SLOT.sub(word, pattern))
    return text[0].upper() + text[1:]
