"""Networks of images: every weight is drawn, and all of them are trained by inner steps."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.func import functional_call

from ..errors import StillhouseError
from .drawing import Drawing, draw_weights
from .dropout import Dropout
from .head import HeadInit
from .interface import AttentionSizes, Derivatives, Output, Params, ScoreRows
from .precision import Precision

# Channels, height, width.
Shape = tuple[int, int, int]


class Normalise(nn.Module):
    """From pixels, 0 to 255, to values of mean 0 and deviation 1 per channel of train."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32)[:, None, None])

    def forward(self, pixels: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The values of pixels."""
        return (pixels.float() / 255 - self.mean) / self.std

    def pixels(self, values: Float[Tensor, "b c h w"]) -> UInt8[Tensor, "b c h w"]:
        """The nearest pixels to values; what is darker than black or brighter than white is cut."""
        return ((values * self.std + self.mean) * 255).round().clamp(0, 255).to(torch.uint8)


class Net(NamedTuple):
    """A network of images, a `Learner`; distilled data enters it as normalised pixels.

    Attributes:
        shape: of an image.
        front: the normalisation.
        body: from b x c x h x w to the features of the last layer, b x e; without values: its
            parameters are arguments.
        width: e.
        drawing: of its first weights, where the head's are not asked for otherwise.
    """

    shape: Shape
    front: Normalise
    body: nn.Module
    width: int
    drawing: Drawing = "xavier"

    @property
    def attention(self) -> AttentionSizes:
        """It has no attention."""
        return AttentionSizes(0, 0)

    @property
    def has_dropout(self) -> bool:
        """No network of images has it."""
        return False

    def entry_shape(self, length: int) -> tuple[int, ...]:
        """That of an image; it has no length in tokens."""
        return self.shape

    def embed(self, *inputs: Tensor) -> Tensor:
        """The values of pixels, uint8 b x c x h x w."""
        (pixels,) = inputs
        values: Tensor = self.front(pixels)
        return values

    def draw(self, num_classes: int, init: HeadInit, generator: torch.Generator) -> Params:
        """Every weight of a layer anew, with zero biases and norms that change nothing.

        Args:
            num_classes: C.
            init: ``default`` is `drawing`: Xavier's normal distribution, as Wang et al. (2018) use
                it, or the uniform one of Rosasco et al. (2021); ``normal`` is N(0, 0.02).
            generator: a CPU generator.
        """
        shapes = {name: parameter.shape for name, parameter in self.body.named_parameters()}
        shapes |= {"out.weight": torch.Size((num_classes, self.width))}
        shapes |= {"out.bias": torch.Size((num_classes,))}
        device = self.front.mean.device
        drawn = draw_weights(shapes, "normal" if init == "normal" else self.drawing, generator)
        return {name: tensor.to(device) for name, tensor in drawn.items()}

    def forward(
        self,
        theta: Params,
        entry: Float[Tensor, "b c h w"],
        mask: Tensor | None = None,
        *,
        derivatives: Derivatives = 2,
        score_rows: ScoreRows = "first",
        dropout: Dropout | None = None,
        backward: Precision = "fp32",
    ) -> Output:
        """Logits of images; what is about attention and dropout means nothing here."""
        own = {name: tensor for name, tensor in theta.items() if not name.startswith("out.")}
        features = functional_call(self.body, own, (entry,))
        return Output(F.linear(features, theta["out.weight"], theta["out.bias"]))

    def to(self, device: torch.device) -> "Net":
        """The same with its normalisation on ``device``."""
        front = Normalise(self.front.mean.flatten().tolist(), self.front.std.flatten().tolist())
        return self._replace(front=front.to(device))


def make_net(name: str, shape: Shape, mean: Sequence[float], std: Sequence[float]) -> Net:
    """A network by its name.

    Args:
        name: one of `NET_NAMES`.
        shape: channels, height and width of an image.
        mean, std: of each channel over train, of values in 0..1.

    Raises:
        StillhouseError: ``invalid`` for images that are too small for its pooling.
    """
    with torch.device("meta"):
        try:
            body = _BODIES[name](shape)
            width = body(torch.zeros(1, *shape)).shape[1]
        except (RuntimeError, ValueError):
            raise StillhouseError(
                "invalid",
                f"images of {shape[2]} x {shape[1]} pixels are too small for {name}, which halves "
                "them several times; mlp takes images of any size",
                field="model.name",
            ) from None
    drawing: Drawing = "xavier_uniform" if name in _OF_ROSASCO else "xavier"
    return Net(shape, Normalise(mean, std), body, width, drawing)


def num_parameters(net: Net, num_classes: int) -> int:
    """Numbers in theta."""
    body = sum(parameter.numel() for parameter in net.body.parameters())
    return body + (net.width + 1) * num_classes


def _lenet(shape: Shape) -> nn.Sequential:
    """LeNet as Wang et al. (2018) use it: 61,706 parameters at 1 x 28 x 28 and ten classes."""
    return _with_layers(_lenet_maps(shape, nn.ReLU, nn.MaxPool2d), shape, 120, 84)


def _lenet5(shape: Shape) -> nn.Sequential:
    """LeNet-5 as Rosasco et al. (2021) use it, with tanh and mean pooling: 61,706 parameters at
    1 x 28 x 28 and ten classes."""
    maps = _lenet_maps(shape, nn.Tanh, nn.AvgPool2d)
    return _with_layers(maps, shape, 120, 84, activation=nn.Tanh)


def _lenet_maps(
    shape: Shape, activation: Callable[[], nn.Module], pooling: Callable[[int], nn.Module]
) -> nn.Sequential:
    # At 32 x 32 the first map has without padding the size that smaller images have with it.
    padding = 2 if min(shape[1:]) < 32 else 0
    return nn.Sequential(
        nn.Conv2d(shape[0], 6, 5, padding=padding),
        activation(),
        pooling(2),
        nn.Conv2d(6, 16, 5),
        activation(),
        pooling(2),
    )


def _alexcifarnet(shape: Shape) -> nn.Sequential:
    """AlexCifarNet of Wang et al. (2018): 1,756,426 parameters at 3 x 32 x 32 and ten classes."""

    def norm() -> nn.Module:
        return nn.LocalResponseNorm(4, alpha=0.001 / 9, beta=0.75, k=1.0)

    convolutions = nn.Sequential(
        nn.Conv2d(shape[0], 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        norm(),
        nn.Conv2d(64, 64, 5, padding=2),
        nn.ReLU(),
        norm(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
    return _with_layers(convolutions, shape, 384, 192)


def _mlp(shape: Shape) -> nn.Sequential:
    """Two hidden layers of 128."""
    return _with_layers(nn.Sequential(), shape, 128, 128)


def _mlp_500(shape: Shape) -> nn.Sequential:
    """Two hidden layers of 500, as Rosasco et al. (2021) use them: 648,010 parameters at 28 x 28.

    They train without dropout but distil with it; here neither has it.
    """
    return _with_layers(nn.Sequential(), shape, 500, 500)


def _convnet(shape: Shape) -> nn.Sequential:
    """The field's usual network (Gidaris and Komodakis, 2018): three blocks of 128 channels, each
    with instance norm and mean pooling."""
    blocks: list[nn.Module] = []
    for channels in (shape[0], 128, 128):
        # One group per channel is instance norm, with a weight and a bias for each.
        norm = nn.GroupNorm(128, 128)
        blocks += [nn.Conv2d(channels, 128, 3, padding=1), norm, nn.ReLU(), nn.AvgPool2d(2)]
    return _with_layers(nn.Sequential(*blocks), shape)


def _with_layers(
    convolutions: nn.Sequential,
    shape: Shape,
    *widths: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """The same with linear layers of these widths behind it, each with an activation."""
    width = convolutions(torch.zeros(1, *shape)).flatten(1).shape[1]
    layers: list[nn.Module] = [nn.Flatten()]
    for own in widths:
        layers += [nn.Linear(width, own), activation()]
        width = own
    return nn.Sequential(*convolutions, *layers)


_BODIES: dict[str, Callable[[Shape], nn.Sequential]] = {
    "lenet": _lenet,
    "alexcifarnet": _alexcifarnet,
    "mlp": _mlp,
    "convnet": _convnet,
    "lenet5": _lenet5,
    "mlp-500": _mlp_500,
}
# Those whose first weights are drawn as theirs are.
_OF_ROSASCO = ("lenet5", "mlp-500")
NET_NAMES = tuple(_BODIES)
