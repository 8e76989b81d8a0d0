"""Networks of words: their published sizes, their meaning, and distillation with them."""

from pathlib import Path

import pytest
import torch
import word_vectors
from tasks_of import run, task_of
from test_meta_gradient import assert_slopes
from torch import nn
from torch.nn import functional as F

from conftest import TOPICS, RecordingReporter
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.settings import EmbeddingSettings, Settings
from stillhouse_worker.datasets import tokenise
from stillhouse_worker.datasets.rows import Split
from stillhouse_worker.distillation.inner import inner_loss
from stillhouse_worker.distillation.meta_gradient import MetaProblem
from stillhouse_worker.distillation.synthetic import SyntheticConfig, init_phi, materialise
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.inspection.distilled_data import inspected
from stillhouse_worker.learners.dropout import Dropout
from stillhouse_worker.learners.interface import Params
from stillhouse_worker.learners.word_bodies import LSTM, RNN, Recurrent
from stillhouse_worker.learners.word_nets import WORD_NET_NAMES, make_word_net, num_parameters
from stillhouse_worker.models.nets import WORD_NETS, net_fingerprint
from stillhouse_worker.models.vector_files import read_vectors
from stillhouse_worker.models.word_tokenizer import fast_tokenizer
from stillhouse_worker.models.word_vectors import vectors_fingerprint
from stillhouse_worker.tasks.distill import distill


def drawn(name: str, width: int = 6, num_classes: int = 3, seed: int = 1):
    net = make_word_net(name, torch.randn(4, width))
    return net, net.draw(num_classes, "default", torch.Generator().manual_seed(seed))


def test_the_catalogue_has_the_networks_that_can_be_made() -> None:
    assert WORD_NETS == WORD_NET_NAMES


@pytest.mark.parametrize(
    ("name", "num_classes", "expected"),
    # Published with one logit for two classes: 120,601.
    [("textcnn", 2, 120_601 + 301), ("textcnn-li", 4, 131_076), ("textrnn", 5, 101_805), ("textlstm", 6, 404_406)],
)  # fmt: skip
def test_a_network_has_its_published_size(name: str, num_classes: int, expected: int) -> None:
    _, theta = drawn(name, 100, num_classes)
    assert num_parameters(name, 100, num_classes) == expected
    assert sum(tensor.numel() for tensor in theta.values()) == expected


@pytest.mark.parametrize(("cell", "library"), [(RNN, nn.RNN), (LSTM, nn.LSTM)])
def test_recurrent_layers_equal_those_of_the_library(cell, library) -> None:
    torch.manual_seed(0)
    theirs = library(6, 5, num_layers=2, bidirectional=True, batch_first=True)
    ours = Recurrent(6, 5, cell)
    ours.load_state_dict(theirs.state_dict())
    x, lengths = torch.randn(3, 7, 6), torch.tensor([7, 4, 1])
    mask = torch.arange(7) < lengths[:, None]
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
    last = theirs(packed)[1]
    last = last[0] if isinstance(last, tuple) else last
    expected = torch.cat([last[2], last[3]], -1)  # of the upper layer, both directions
    torch.testing.assert_close(ours(x, mask, None), expected)


def test_textcnn_equals_the_published_convolutions() -> None:
    net, theta = drawn("textcnn")
    x = torch.randn(2, 9, 6)
    parts = [
        F.relu(F.conv2d(x[:, None], theta[f"convolutions.{n}.weight"])).squeeze(3).amax(2)
        for n in range(3)
    ]
    expected = F.linear(torch.cat(parts, 1), theta["out.weight"])  # biases start at zero
    torch.testing.assert_close(net.forward(theta, x).logits, expected)


def test_weights_start_as_their_authors_draw_them() -> None:
    _, published = drawn("textcnn", 100)
    for size, weight in zip((3, 4, 5), list(published.values())[::2], strict=False):
        # Xavier's distribution of a convolution in two dimensions with one channel.
        expected = (2 / (100 * size + 100 * 100 * size)) ** 0.5
        assert float(weight.std()) == pytest.approx(expected, rel=0.02)
    assert not any(t.any() for name, t in published.items() if "bias" in name)
    _, lstm = drawn("textlstm", 100)
    assert float(lstm["weight_hh_l0"].std()) == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert not lstm["bias_hh_l1_reverse"].any()
    _, li = drawn("textcnn-li", 100)
    for name, inputs in (
        ("convolutions.0.weight", 200),
        ("convolutions.1.bias", 300),
        ("inner.weight", 256),
    ):
        bound = inputs**-0.5
        assert 0.9 * bound < float(li[name].abs().max()) <= bound


@pytest.mark.parametrize("name", WORD_NETS)
def test_padding_changes_nothing(name: str) -> None:
    net, theta = drawn(name)
    for length in (1, 4, 9):
        text = torch.randn(1, length, 6)
        alone = net.forward(theta, text, torch.ones(1, length, dtype=torch.bool)).logits
        torch.testing.assert_close(net.forward(theta, text).logits, alone)
        padded = F.pad(text, (0, 0, 0, 12 - length))
        mask = torch.arange(12)[None] < length
        torch.testing.assert_close(net.forward(theta, padded, mask).logits, alone)


@pytest.mark.parametrize("name", WORD_NETS)
def test_dropout_acts_where_it_is_asked_for(name: str) -> None:
    net, theta = drawn(name)
    x = torch.randn(4, 6, 6)
    assert torch.equal(net.forward(theta, x).logits, net.forward(theta, x).logits)
    torch.manual_seed(0)
    one, other = (net.forward(theta, x, dropout=Dropout(0.5)).logits for _ in range(2))
    assert not torch.equal(one, other)
    again, same = (net.forward(theta, x, dropout=Dropout(0.5, seed=1)).logits for _ in range(2))
    assert torch.equal(again, same)


@pytest.mark.parametrize(
    ("name", "dropout"), [*((name, 0.0) for name in WORD_NETS), ("textcnn", 0.5)]
)
def test_the_meta_gradient_equals_finite_differences(name: str, dropout: float) -> None:
    draws = torch.Generator().manual_seed(4)
    net = make_word_net(name, torch.randn(4, 3, generator=draws))
    theta = {key: p.double() for key, p in net.draw(3, "default", draws).items()}
    config = SyntheticConfig(3, 1, 5, "unrestricted", "none", 2, 0.3, 0.9, "per_step")
    x = torch.randn(3, 5, 3, generator=draws)
    phi = {n: p.double().requires_grad_() for n, p in init_phi(config, 0, 0, x, draws).items()}
    mask = torch.arange(6) < torch.tensor([6, 1, 3, 6, 2])[:, None]
    real = torch.randn(5, 6, 3, generator=draws).double() * mask[..., None]
    labels = torch.tensor([0, 1, 2, 0, 1])

    def outer_loss(theta: Params) -> torch.Tensor:  # the one of the outer loop is fp32
        return F.cross_entropy(net.forward(theta, real, mask).logits, labels)

    loss = inner_loss(net, 0.0, "keys", dropout).of_learner(0, "test")
    case = MetaProblem(lambda values: materialise(config, values), loss, [outer_loss])
    # A step short enough to cross no corner of a ReLU or of a largest value.
    found = assert_slopes(["stepwise", "unrolled"], case, phi, theta, size=1e-6, tolerance=1e-5)
    for key, expected in found["unrolled"].items():
        torch.testing.assert_close(found["stepwise"][key], expected, rtol=1e-9, atol=1e-12)


def test_a_text_without_words_is_one_unknown_word() -> None:
    tokens = tokenise(Split(["", "goal"], None, [0, 1]), fast_tokenizer(word_vectors.WORDS), 4)
    assert tokens.lengths.tolist() == [1, 1]
    assert tokens.input_ids.tolist()[0] == 1


@pytest.fixture(scope="module")
def vectors_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return word_vectors.write_folder(tmp_path_factory.mktemp("vectors") / "tiny")


def settings_for(settings: Settings, folder: Path, name: str) -> Settings:
    """A few outer steps on the two topics of the tiny data set."""
    found = EmbeddingSettings("tiny", str(folder), vectors_fingerprint(read_vectors(folder)))
    model = settings.model._replace(
        name=name, source="packaged", fingerprint=net_fingerprint(name), embeddings=found
    )
    distilled = settings.distilled._replace(
        attention_labels="none", class_labels="hard", seq_len=4, num_steps=2, learn_lr="per_step", lr=0.2
    )  # fmt: skip
    outer = settings.outer._replace(num_steps=12, lr=0.1, method="stepwise")
    return settings._replace(model=model, distilled=distilled, outer=outer)


@pytest.fixture(scope="module")
def net_settings(settings: Settings, vectors_folder: Path) -> Settings:
    return settings_for(settings, vectors_folder, "textcnn")


@pytest.fixture(scope="module")
def artifact_folder(net_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distilled-words")
    return distill(task_of(net_settings, RecordingReporter(), folder)).folder


def test_distilled_sentences_train_the_network_that_the_artifact_names(
    artifact_folder: Path,
) -> None:
    artifact = load_artifact(artifact_folder)
    assert artifact.data.x.shape[1:] == (4, word_vectors.WIDTH)
    learner = artifact.train(init_seed=5)
    topics = artifact.manifest["dataset"]["class_names"]
    texts = [" ".join(TOPICS[topic][:5]) for topic in topics]
    assert learner.predict(texts) == topics
    assert learner.predict(["", "..."]) == [learner.predict("")] * 2
    with pytest.raises(TypeError, match="textcnn is no pretrained encoder"):
        learner.to_transformers()


def test_two_classes_have_two_logits_whose_larger_one_decides(artifact_folder: Path) -> None:
    learner = load_artifact(artifact_folder).train()
    texts, labels = [" ".join(words[:5]) for words in TOPICS.values()], [0, 1]
    logits = learner.logits(texts)
    assert logits.shape == (2, 2)
    measures = learner.evaluate(texts, labels)
    cut_at_zero = (logits[:, 1] - logits[:, 0] > 0).long()
    assert measures.accuracy == (cut_at_zero == torch.tensor(labels)).float().mean() == 1.0


@pytest.mark.parametrize("x_init", ["noise", "real"])
@pytest.mark.parametrize("name", ["textrnn", "textcnn-li"])
def test_every_network_distils_from_either_start(
    name: str, x_init: str, settings: Settings, vectors_folder: Path, tmp_path: Path
) -> None:
    chosen = settings_for(settings, vectors_folder, name)
    one_step = chosen._replace(
        distilled=chosen.distilled._replace(x_init=x_init),
        outer=chosen.outer._replace(num_steps=1, lr=1e-4),
        validations=1,
    )
    x = load_artifact(distill(task_of(one_step, RecordingReporter(), tmp_path)).folder).data.x
    table = torch.from_numpy(word_vectors.numbers())
    distances = torch.cdist(x[:, :3].flatten(0, 1), table).amin(-1)
    assert (distances.max() < 0.01) == (x_init == "real")


@pytest.mark.parametrize(
    ("work", "least"),
    [("evaluate", 0.9), ("random", 0.6), ("full", 0.9), ("linear_probe", 0.9), ("class_means", 0.9), ("herding", 0.6), ("untrained", 0.0)],
)  # fmt: skip
def test_every_way_to_train_a_network_runs(
    work: str, least: float, net_settings: Settings, artifact_folder: Path, tmp_path: Path
) -> None:
    artifact = artifact_folder if work == "evaluate" else ""
    outcome = run(work, net_settings, [0], artifact, tmp_path, RecordingReporter())
    assert outcome.inits[0].accuracy >= least


def test_other_vectors_than_those_of_the_experiment_are_refused(
    net_settings: Settings, vectors_folder: Path, tmp_path: Path
) -> None:
    table = read_vectors(vectors_folder)
    other = word_vectors.write_folder(tmp_path / "other", "vectors.npy")
    (other / "words.txt").write_text("\n".join(table.words[::-1]) + "\n")
    words = net_settings.model.embeddings
    assert words is not None
    changed = net_settings.model._replace(embeddings=words._replace(path=str(other)))
    with pytest.raises(StillhouseError, match=r"word vectors .* are not those") as caught:
        distill(
            task_of(net_settings._replace(model=changed), RecordingReporter(), tmp_path / "task")
        )
    assert caught.value.kind == "conflict"


def test_inspection_names_the_nearest_words(artifact_folder: Path, vectors_folder: Path) -> None:
    artifact = load_artifact(artifact_folder)
    answer = inspected(artifact, 2)
    sample = answer["samples"][0]
    assert sample["attention"] is None
    assert sample["learner_attention"] is None
    assert len(sample["positions"]) == 4
    vector, table = artifact.data.x[0, 1], torch.from_numpy(word_vectors.numbers())
    cosines = F.cosine_similarity(vector[None], table)
    nearest = int(cosines.argmax())
    word, cosine = sample["positions"][1][0]
    assert word == word_vectors.WORDS[nearest]
    assert cosine == pytest.approx(float(cosines[nearest]), abs=1e-4)
