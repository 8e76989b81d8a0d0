"""Networks of images: their published sizes, their draws, and exact meta-gradients."""

from pathlib import Path

import image_sets
import numpy as np
import pytest
import torch
from tasks_of import run, task_of
from test_meta_gradient import assert_slopes
from torch import nn
from torch.nn import functional as F

from conftest import RecordingReporter
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.settings import Settings
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.datasets import Reading, load_dataset, select_rows
from stillhouse_worker.distillation.inner import inner_loss
from stillhouse_worker.distillation.meta_gradient import MetaProblem
from stillhouse_worker.distillation.synthetic import SyntheticConfig, init_phi, materialise
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners.interface import Params
from stillhouse_worker.learners.nets import NET_NAMES, Net, make_net, num_parameters
from stillhouse_worker.models.nets import NETS, net_fingerprint
from stillhouse_worker.tasks.distill import distill
from stillhouse_worker.tasks.initial_data import initial_phi, starting_labels

GREY = (1, 28, 28)


def net_of(name: str, shape: tuple[int, int, int] = GREY) -> Net:
    return make_net(name, shape, [0.5] * shape[0], [0.25] * shape[0])


def test_the_catalogue_has_the_networks_that_can_be_made() -> None:
    assert NETS == NET_NAMES
    assert len({net_fingerprint(name) for name in NETS}) == len(NETS)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [("lenet", GREY, 61_706), ("lenet", (1, 32, 32), 61_706), ("alexcifarnet", (3, 32, 32), 1_756_426), ("convnet", (3, 32, 32), 320_010)],
)  # fmt: skip
def test_a_network_has_its_published_size(
    name: str, shape: tuple[int, int, int], expected: int
) -> None:
    net = net_of(name, shape)
    theta = net.draw(10, "default", torch.Generator())
    assert num_parameters(net, 10) == expected
    assert sum(tensor.numel() for tensor in theta.values()) == expected


def test_lenet_equals_the_same_network_of_the_library() -> None:
    torch.manual_seed(0)
    net = net_of("lenet")
    theta = net.draw(10, "default", torch.Generator().manual_seed(1))
    library = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, tensor in zip(library.parameters(), theta.values(), strict=True):
            parameter.copy_(tensor)
    x = torch.randn(4, *GREY)
    torch.testing.assert_close(net.forward(theta, x).logits, library(x))


@pytest.mark.parametrize("name", NETS)
def test_all_weights_are_drawn_from_the_generator_alone(name: str) -> None:
    net = net_of(name, (3, 16, 16))
    one, same, other = (
        net.draw(4, "default", torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    for key, tensor in one.items():
        assert torch.equal(tensor, same[key])
        assert tensor.dim() == 1 or not torch.equal(tensor, other[key])
        if key.endswith("bias"):
            assert not tensor.any()


def test_weights_have_the_deviation_of_xavier() -> None:
    theta = net_of("lenet").draw(10, "default", torch.Generator().manual_seed(0))
    assert theta["7.weight"].shape == (120, 400)
    assert float(theta["7.weight"].std()) == pytest.approx((2 / 520) ** 0.5, rel=0.02)
    normal = net_of("lenet").draw(10, "normal", torch.Generator().manual_seed(0))
    assert float(normal["7.weight"].std()) == pytest.approx(0.02, rel=0.02)


def test_images_that_are_too_small_are_refused_by_name() -> None:
    with pytest.raises(StillhouseError, match="4 x 4 pixels are too small for convnet"):
        net_of("convnet", (1, 4, 4))
    assert net_of("mlp", (1, 4, 4)).width == 128


def test_pixels_come_back_from_their_values() -> None:
    net = make_net("mlp", (3, 4, 4), [0.1, 0.5, 0.9], [0.3, 0.2, 0.1])
    pixels = torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4) * 5
    assert torch.equal(net.front.pixels(net.embed(pixels)), pixels)
    assert net.front.pixels(torch.full((1, 3, 4, 4), 99.0)).min() == 255


@pytest.mark.parametrize("name", NETS)
def test_the_meta_gradient_equals_finite_differences(name: str) -> None:
    shape, draws = (1, 12, 12), torch.Generator().manual_seed(4)
    net = net_of(name, shape)
    theta = {key: p.double() for key, p in net.draw(3, "default", draws).items()}
    config = SyntheticConfig(3, 1, 1, "unrestricted", "none", 2, 0.3, 0.9, "per_step")
    x = torch.randn(3, *shape, generator=draws)
    phi = {n: p.double().requires_grad_() for n, p in init_phi(config, 0, 0, x, draws).items()}
    real = torch.randn(5, *shape, generator=draws).double()
    labels = torch.tensor([0, 1, 2, 0, 1])

    def outer_loss(theta: Params) -> torch.Tensor:  # the one of the outer loop is fp32
        return F.cross_entropy(net.forward(theta, real).logits, labels)

    loss = inner_loss(net, 0.0, "keys")
    case = MetaProblem(lambda values: materialise(config, values), loss, [outer_loss])
    # A step short enough to cross no corner of a ReLU or of pooling.
    found = assert_slopes(["stepwise", "unrolled"], case, phi, theta, size=1e-6, tolerance=1e-5)
    for key, expected in found["unrolled"].items():
        torch.testing.assert_close(found["stepwise"][key], expected, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    image_sets.write_idx(folder / "pets", rows=40)
    return folder


@pytest.fixture(scope="module")
def net_settings(settings: Settings, pets: Path) -> Settings:
    """A few outer steps of the small MLP on images of cats and brighter dogs."""
    reading = Reading(0.2, 0.2, "refuse")
    dataset = load_dataset("pets", source="local", data_dir=str(pets), splits=(), reading=reading)
    data = settings.data._replace(
        name="pets", data_dir=str(pets), fingerprint=dataset.fingerprint, reading=reading
    )
    model = settings.model._replace(
        name="mlp", source="packaged", fingerprint=net_fingerprint("mlp"), fixed_init=True
    )
    distilled = settings.distilled._replace(
        attention_labels="none", class_labels="hard", seq_len=1, num_steps=2, learn_lr="per_step", lr=0.05
    )  # fmt: skip
    outer = settings.outer._replace(num_steps=60, lr=0.1)
    return settings._replace(data=data, model=model, distilled=distilled, outer=outer)


@pytest.fixture(scope="module")
def artifact_folder(net_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distilled-images")
    return distill(task_of(net_settings, RecordingReporter(), folder)).folder


def test_distilled_images_train_the_network_that_the_artifact_names(
    artifact_folder: Path, pets: Path
) -> None:
    artifact = load_artifact(artifact_folder)
    assert artifact.data.x.shape == (2, 1, image_sets.SIZE, image_sets.SIZE)
    learner = artifact.train(init_seed=5)
    images = torch.from_numpy(np.stack([image_sets.pixels(row)[None] for row in range(100, 120)]))
    labels = [row % 2 for row in range(100, 120)]
    assert learner.evaluate(images, labels).accuracy >= 0.9
    assert learner.predict(images)[:2] == ["0", "1"]
    with pytest.raises(ValueError, match=r"must have the shape n x 1 x 8 x 8, got \(20, 8, 8\)"):
        learner.predict(images[:, 0])
    with pytest.raises(TypeError, match="must be uint8"):
        learner.predict(images / 255)
    with pytest.raises(TypeError, match="mlp is no pretrained encoder"):
        learner.to_transformers()


@pytest.mark.parametrize(
    ("work", "least"),
    [("evaluate", 0.9), ("random", 0.7), ("full", 0.9), ("linear_probe", 0.9), ("linear_probe_few", 0.7), ("class_means", 0.9), ("herding", 0.7), ("adam", 0.7), ("k_means", 0.9), ("knn", 0.7), ("knn_k_means", 0.9), ("untrained", 0.0)],
)  # fmt: skip
def test_every_way_to_train_a_network_runs(
    work: str, least: float, net_settings: Settings, artifact_folder: Path, tmp_path: Path
) -> None:
    artifact = artifact_folder if work == "evaluate" else ""
    outcome = run(work, net_settings, [0], artifact, tmp_path, RecordingReporter())
    assert outcome.inits[0].accuracy >= least


@pytest.mark.parametrize(
    ("variation", "least"),
    [
        (Variation(steps=4), 0.9),
        (Variation(hard_labels=True, searches_lr=True), 0.9),
        (Variation(optimiser="adam", searches_lr=True), 0.9),
        (Variation(batch_size=1, shuffled=True), 0.7),
        (Variation(head_init="normal"), 0.0),
        (Variation(samples="random", searches_lr=True), 0.7),
        (Variation(model="convnet", model_fingerprint=net_fingerprint("convnet")), 0.0),
    ],
    ids=["steps", "hard-labels", "adam", "order", "init", "real-samples", "transfer"],
)
def test_distilled_images_train_networks_otherwise_than_they_say(
    variation: Variation,
    least: float,
    net_settings: Settings,
    artifact_folder: Path,
    tmp_path: Path,
) -> None:
    outcome = run(
        "evaluate", net_settings, [0], artifact_folder, tmp_path, RecordingReporter(), variation
    )
    assert outcome.inits[0].accuracy >= least
    assert outcome.train_samples == 2


def test_labels_start_by_the_distances_of_mean_images(
    net_settings: Settings, tmp_path: Path
) -> None:
    bench = open_bench(task_of(net_settings, RecordingReporter(), tmp_path), ("train",))
    labels = starting_labels(bench, "class_distance", [1, 0])
    assert torch.equal(labels, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


def test_as_many_centroids_are_trained_on_as_there_are_distilled_images(
    net_settings: Settings, tmp_path: Path
) -> None:
    distilled = net_settings.distilled._replace(per_class=2, blocks=2, num_steps=2)
    more = net_settings._replace(distilled=distilled)
    for work in ("k_means", "knn_k_means"):
        outcome = run(work, more, [0, 1], "", tmp_path / work, RecordingReporter())
        assert outcome.train_samples == 8
        assert outcome.stored_bytes == 8 * 64 * 4
    # With fixed weights all learners on the same centroids are one.
    assert outcome.inits[0].accuracy == outcome.inits[1].accuracy


def test_setfit_is_refused_for_images(net_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StillhouseError, match=r"needs texts|pretrained encoder"):
        run("setfit_8", net_settings, [0], "", tmp_path, RecordingReporter())


def test_distilled_images_start_as_real_ones(net_settings: Settings, tmp_path: Path) -> None:
    real = net_settings._replace(
        distilled=net_settings.distilled._replace(x_init="real"),
        outer=net_settings.outer._replace(num_steps=1),
        validations=1,
    )
    folder = distill(task_of(real, RecordingReporter(), tmp_path)).folder
    artifact = load_artifact(folder)
    net = artifact.load_learner()
    shown = net.front.pixels(artifact.data.x).flatten(1).int()
    rows = load_dataset(
        "pets", source="local", data_dir=real.data.data_dir, splits=["train"], reading=real.data.reading
    ).splits["train"]  # fmt: skip
    train = torch.tensor([list(row) for row in rows.first]).int()
    # One small step moves a pixel by a few of 255.
    nearest = (train[None] - shown[:, None]).abs().amax(-1).amin(-1)
    assert nearest.max() <= 8


def test_inspection_shows_each_image_and_a_sheet(artifact_folder: Path) -> None:
    import base64
    import io

    from PIL import Image

    from stillhouse_worker.inspection.distilled_data import inspected

    answer = inspected(load_artifact(artifact_folder), 5)
    assert [sample["class_name"] for sample in answer["samples"]] == ["0", "1"]
    assert answer["samples"][0]["positions"] == []
    shown = [answer["samples"][0]["image"], answer["sheet"]]
    small, sheet = (
        Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) for address in shown
    )
    assert small.size == (8, 8)
    assert (sheet.width, sheet.height) == (2 * (96 + 16), 96 + 16 + 16)


def test_images_start_at_the_mean_image_of_their_class(net_settings, tmp_path, reporter) -> None:
    own = net_settings.distilled._replace(x_init="class_means")
    bench = open_bench(
        task_of(net_settings._replace(distilled=own), reporter, tmp_path), ("train",)
    )
    synthetic = own.synthetic(bench.num_classes, net_settings.seed)
    x = initial_phi(bench, synthetic)["x"].detach()
    train = bench.splits["train"]
    for sample, label in zip(x, synthetic.sample_classes, strict=True):
        rows = (train.labels == label).nonzero()[:, 0]
        pixels = bench.learner.embed(select_rows(train, rows).pixels)
        torch.testing.assert_close(sample, pixels.mean(0))
