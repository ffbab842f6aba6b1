"""Small pictures of unfinished ones: latents → RGB by a linear map that is fitted to the model."""

import logging
from typing import Any, Final

import torch

from modules.backends.imaging.messages import Bitmap

_log = logging.getLogger(__name__)
# Latents of one fitting picture, each way.
_PLACES: Final = 16
_MAX_SIDE: Final = 256
_SEED: Final = 11
_PACKED: Final = 3
_FRAMES: Final = 5


class LatentPreviews:
    """`picture` is None where the model's latents are not understood."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._map: torch.Tensor | None = None
        self._is_fitted = False

    def picture(self, latents: Any, width: int, height: int) -> Bitmap | None:
        try:
            return self._picture(latents, width, height)
        except Exception as error:  # noqa: BLE001 - a picture without previews is better than none
            _log.warning("no previews of this model: %s", type(error).__name__)
            self._map, self._is_fitted = None, True
            return None

    def _picture(self, latents: Any, width: int, height: int) -> Bitmap | None:
        if not self._is_fitted:
            self._map, self._is_fitted = _fitted(self._pipeline.vae), True
        if self._map is None:
            return None
        planes = self._unpacked(latents, width, height)[0].detach().float().cpu()
        if planes.ndim > _PACKED:
            planes = planes[:, 0]
        if planes.shape[0] != self._map.shape[0] - 1:
            return None
        rows = planes.permute(1, 2, 0)
        colours = rows @ self._map[:-1] + self._map[-1]
        pixels = colours.clamp(0, 1).mul(255).round().to(torch.uint8)
        step = max(1, max(pixels.shape[:2]) // _MAX_SIDE)
        pixels = pixels[::step, ::step].contiguous()
        return Bitmap(int(pixels.shape[1]), int(pixels.shape[0]), 3, pixels.numpy().tobytes())

    def _unpacked(self, latents: Any, width: int, height: int) -> Any:
        if latents.ndim != _PACKED:
            return latents
        pipeline = self._pipeline
        return pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)


def _fitted(vae: Any) -> torch.Tensor:
    """[channels + 1, 3]: what colours latents stand for, and the mean."""
    config = vae.config
    levels = len(getattr(config, "block_out_channels", None) or getattr(config, "dim_mult", None) or [0] * 4)
    side = _PLACES * 2 ** (levels - 1)
    draw = torch.Generator("cpu").manual_seed(_SEED)
    colours = torch.rand(1, 3, _PLACES // 2, _PLACES // 2, generator=draw)
    picture = torch.nn.functional.interpolate(colours, size=(side, side), mode="nearest")
    given = (picture * 2 - 1).to(vae.device, vae.dtype)
    has_frames = getattr(config, "latents_mean", None) is not None and not hasattr(config, "block_out_channels")
    with torch.inference_mode():
        encoded = vae.encode(given.unsqueeze(2) if has_frames else given)
        latents = (encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latent).float().cpu()
    latents = _scaled(latents, config)
    planes = latents[0, :, 0] if latents.ndim == _FRAMES else latents[0]
    wanted = torch.nn.functional.adaptive_avg_pool2d(picture, planes.shape[1:])[0]
    rows = planes.flatten(1).T
    with_mean = torch.cat([rows, torch.ones(len(rows), 1)], dim=1)
    return torch.linalg.lstsq(with_mean, wanted.flatten(1).T).solution


def _scaled(latents: torch.Tensor, config: Any) -> torch.Tensor:
    """As the pipelines scale them."""
    mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and deviation is not None:
        shape = (1, -1, *([1] * (latents.ndim - 2)))
        return (latents - torch.tensor(mean).view(shape)) / torch.tensor(deviation).view(shape)
    return (latents - (getattr(config, "shift_factor", None) or 0.0)) * (getattr(config, "scaling_factor", None) or 1.0)
