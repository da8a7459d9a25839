"""Tiny language models with random weights, for server programs that need one to load.

``python peer_models.py transformers|gguf PATH``, with the interpreter that has these packages. They
read bytes and say nonsense, but through the servers' whole machinery: chat template, context
length, sampling, grammars, counting of tokens.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

WIDTH, LAYERS, HEADS, INNER, CONTEXT = 64, 2, 4, 128, 4096
SPECIALS = ("<unk>", "<s>", "</s>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def alphabet() -> list[str]:
    """Return the 256 signs that byte-level tokenizers write bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    signs = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in signs)
    return list((signs | {byte: chr(256 + n) for n, byte in enumerate(others)}).values())


def transformers(folder: Path) -> None:
    """Write a model that `transformers` loads from a folder."""
    library, parts = import_module("transformers"), import_module("tokenizers")
    tokens = {token: n for n, token in enumerate([*SPECIALS, *alphabet()])}
    tokenizer = parts.Tokenizer(parts.models.BPE(vocab=tokens, merges=[], unk_token=SPECIALS[0]))
    tokenizer.pre_tokenizer = parts.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = parts.decoders.ByteLevel()
    names = dict(zip(("unk_token", "bos_token", "eos_token"), SPECIALS, strict=True))
    library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=TEMPLATE, model_max_length=CONTEXT, **names
    ).save_pretrained(folder)
    import_module("torch").manual_seed(1)
    shape = library.LlamaConfig(
        vocab_size=len(tokens), hidden_size=WIDTH, intermediate_size=INNER,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=CONTEXT,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    library.LlamaForCausalLM(shape).save_pretrained(folder)


def gguf(path: Path) -> None:
    """Write a model that `llama.cpp` loads from a file."""
    library, numpy = import_module("gguf"), import_module("numpy")
    tokens = [*SPECIALS, *alphabet(), "ĠĠ"]
    out = library.GGUFWriter(path, "llama")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    out.add_token_types([2, 3, 3] + [1] * (len(tokens) - 3))
    out.add_token_merges(["Ġ Ġ"])
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_chat_template(TEMPLATE)
    chance = numpy.random.default_rng(1)

    def add(name: str, *shape: int) -> None:
        values: Any = chance.normal(0, 0.1, shape) if len(shape) > 1 else numpy.ones(shape)
        out.add_tensor(f"{name}.weight", values.astype(numpy.float32))

    add("token_embd", len(tokens), WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}", WIDTH, WIDTH)
        add(f"blk.{layer}.attn_norm", WIDTH)
        add(f"blk.{layer}.ffn_norm", WIDTH)
        add(f"blk.{layer}.ffn_gate", INNER, WIDTH)
        add(f"blk.{layer}.ffn_up", INNER, WIDTH)
        add(f"blk.{layer}.ffn_down", WIDTH, INNER)
    add("output_norm", WIDTH)
    add("output", len(tokens), WIDTH)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    {"transformers": transformers, "gguf": gguf}[sys.argv[1]](Path(sys.argv[2]))
