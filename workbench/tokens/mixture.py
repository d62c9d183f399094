"""A language model whose personal share is known for every token, in closed form.

Each next word comes from the shopper's own words with probability a, from the language at large
otherwise:

    p(w | u, prefix) = (1 − a) · general(w | previous word) + a · personal_u(w)

so that the share of a word owed to the person, r = a · personal_u(w) / p(w | u, prefix), is known.
Without a persona the model is `general`, hence r = 1 − (1 − a) · exp(−PIR): any implementation of
PIR can be checked against it. After the generate-or-copy decoder of DHAP (Ma et al. 2021, One
Chatbot Per Person).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.errors import UnknownUser, check_number

SAID = """
the a this it is was and but with for after on i my we they box book lamp coat tent bike pot game seed brush
arrived works broke keeps fits looks feels smells warm quiet bright cheap sturdy soft heavy plain again daily outside
"""
WORDS = SAID.split()
START, SHOPPER = "<s>", "shopper"


class MixtureLM(torch.nn.Module):
    """The mixture as a causal language model over a small vocabulary; takes and returns what
    Transformers models do.

    A prompt that holds the token `shopper3` is shopper 3's; a prompt without such a token has no
    persona. `share` is a; `shared` mixes a taste that all shoppers have in common into each
    personal distribution.

    >>> model, tokenizer = MixtureLM(n_users=5, seed=0), MixtureLM(n_users=5, seed=0).tokenizer()
    >>> model.sample(2, texts=2, length=4).columns.tolist()[:2]
    ['text', 'prompt_with']
    """

    def __init__(
        self, n_users: int = 20, share: float = 0.3, shared: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__()
        check_number(1, n_users=n_users)
        check_number(0.0, 1 - 1e-9, share=share)
        check_number(0.0, 1.0, shared=shared)
        rng = np.random.default_rng(seed)
        self.n_users, self.share, self.seed = n_users, share, seed
        self.vocabulary = [START, *(f"{SHOPPER}{user}" for user in range(n_users)), *WORDS]
        self.first_word = 1 + n_users
        own = rng.dirichlet(np.full(len(WORDS), 0.1), size=n_users)
        common = rng.dirichlet(np.full(len(WORDS), 0.1))
        personal = (1 - shared) * own + shared * common
        general = rng.dirichlet(np.full(len(WORDS), 0.5), size=len(self.vocabulary))
        self.personal = self._pad(0.999 * personal + 0.001 / len(WORDS))
        self.general = self._pad(0.99 * general + 0.01 / len(WORDS))
        self.config = SimpleNamespace(max_position_embeddings=None)
        self.device = "cpu"

    def _pad(self, words):
        """Probability 0 for the start and shopper tokens, which are never generated."""
        return torch.from_numpy(np.pad(words, ((0, 0), (self.first_word, 0))))

    def tokenizer(self) -> Any:
        """One token per word, as a fast Transformers tokenizer."""
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        known = {word: place for place, word in enumerate(self.vocabulary)}
        core = Tokenizer(models.WordLevel(known, unk_token=START))
        core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(tokenizer_object=core, bos_token=START, pad_token=START)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> SimpleNamespace:
        """Logits (batch × length × vocabulary, float64) are log-probabilities of the next token."""
        general = self.general[input_ids]
        is_user = (input_ids > 0) & (input_ids < self.first_word)
        # 0 until a shopper token has been read
        user = torch.where(is_user, input_ids, 0).cummax(dim=1).values
        personal = self.personal[(user - 1).clamp(min=0)]
        mixed = torch.where(
            (user > 0)[..., None], (1 - self.share) * general + self.share * personal, general
        )
        return SimpleNamespace(logits=mixed.log())

    def sample(self, user: int, texts: int = 1, length: int = 20, seed: int = 0) -> pd.DataFrame:
        """Texts of one shopper: [text, prompt_with, prompt_without, response, personal], ready for
        `score_tokens`.

        `personal` lists for each word whether it was drawn from the shopper's own words (the latent
        source).
        """
        check_number(0, user=user, texts=texts, length=length, seed=seed)
        if user >= self.n_users:
            raise UnknownUser(f"shopper {user}", expected=f"0 to {self.n_users - 1}")
        rng = np.random.default_rng([self.seed, seed, user])
        general, personal = self.general.numpy(), self.personal.numpy()
        rows = []
        for number in range(texts):
            word, said, source = 0, [], rng.random(length) < self.share
            for own in source:
                chances = personal[user] if own else general[word]
                word = int(rng.choice(len(self.vocabulary), p=chances))
                said.append(self.vocabulary[word])
            rows.append((f"{user}-{number}", " ".join(said), source.tolist()))
        out = pd.DataFrame(rows, columns=["text", "response", "personal"])
        out.insert(1, "prompt_with", f"{START} {SHOPPER}{user} {START}")
        out.insert(2, "prompt_without", START)
        return out

    def responsibility(self, user: int, token_ids: np.ndarray) -> np.ndarray:
        """r for each token of a text that starts after `<s>`: the probability that the person is
        its source."""
        before = np.concatenate([[0], token_ids[:-1]])
        own = self.share * self.personal[user].numpy()[token_ids]
        return own / ((1 - self.share) * self.general.numpy()[before, token_ids] + own)


def personal_share(pir: np.ndarray | pd.Series, share: float) -> np.ndarray | pd.Series:
    """r = 1 − (1 − a) · exp(−PIR): the personal share of a token, from PIR alone, where the mixture
    holds."""
    return 1 - (1 - share) * np.exp(-pir)
