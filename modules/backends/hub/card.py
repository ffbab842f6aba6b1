"""What a folder in Hugging Face's format says of its model before it is loaded, as a card."""

from modules.backends.hub.cache_size import context_of
from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.hub_folder import GENERATION, ModelFolder, optional_json
from modules.backends.model_templates import template_beside
from modules.backends.recommended_sampling import recommended_sampling
from modules.engine.types import LoadSpec, ModelCard


def hub_card(spec: LoadSpec, folder: ModelFolder, tokenizer: HubTokenizer) -> ModelCard:
    def shown(token: int | None) -> str:
        return "" if token is None else tokenizer.shown(token).decode("utf-8", "replace")

    eos = tokenizer.eos_id if tokenizer.eos_id is not None else min(tokenizer.end_ids)
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=context_of(folder, spec),
        trained_context=folder.trained_context,
        vocabulary=tokenizer.size,
        parallel=spec.parallel,
        architecture=str(folder.config.get("model_type", "")),
        size_bytes=sum(tensor.bytes for tensor in folder.tensors().values()),
        chat_template=template_beside(folder.path),
        instruction_template=spec.instruction_template,
        bos_token=shown(tokenizer.bos_id),
        eos_token=shown(eos),
        bos_id=tokenizer.bos_id,
        eos_ids=tuple(sorted(tokenizer.end_ids)),
        adds_bos=tokenizer.adds_bos,
        control_tokens=tokenizer.control_texts(),
        infill_tokens=tokenizer.infill_ids,
        can_constrain=True,
        can_adapt=True,
        adapters=tuple(adapter.name for adapter in spec.adapters),
        kind=spec.kind,
        recommended_sampling=recommended_sampling(optional_json(folder.path / GENERATION)),
    )
