"""Labels of hidden states: their loss, its derivatives, where they start, and what is kept of them."""

import hashlib
import json
import shutil

import pytest
import torch
from library_models import save_library_model
from safetensors.torch import load_file
from tasks_of import run as run_task
from tasks_of import task_of
from test_meta_gradient import _assert_equal, assert_slopes

from bench._small_problem import Combination, problem
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import Silent, Stopped
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.distillation.inner import InnerLoss
from stillhouse_worker.distillation.losses import HIDDEN_LOSSES, HiddenTerm, hidden_divergence
from stillhouse_worker.distillation.meta_gradient import METHODS, unrolled
from stillhouse_worker.distillation.synthetic import DistilledData, HiddenLabels
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.evaluation.varied_training import check_fit, labelled
from stillhouse_worker.inspection.distilled_data import inspected, learner_output
from stillhouse_worker.learners import Encoder
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.tasks.distill import distill
from stillhouse_worker.tasks.initial_data import initial_phi
from stillhouse_worker.tensorfile import write_tensors


def test_each_loss_is_that_of_a_state_by_hand() -> None:
    hidden = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    labels, weights = torch.tensor([[4.0, 3.0], [0.0, 2.0]]), torch.tensor([2.0, 1.0])
    # Cosines: 24/25 and 0.
    cosine = hidden_divergence(hidden, labels, weights, "cosine")
    assert cosine.item() == pytest.approx((2 * (1 - 0.96) + 1) / 2)
    # Normalised: (-1, 1) and (1, -1), but for the epsilon of the variance.
    mse = hidden_divergence(hidden, labels, weights, "mse")
    first, second = ((-1 - 4) ** 2 + (1 - 3) ** 2) / 4, (1**2 + (-1 - 2) ** 2) / 4
    assert mse.item() == pytest.approx((2 * first + second) / 2, rel=1e-3)


def test_a_schedule_chooses_layers_by_the_step() -> None:
    def layers(schedule: str, num_steps: int, num_layers: int) -> list[list[int]]:
        term = HiddenTerm("cosine", schedule, num_steps)
        return [list(term.layers(step, num_layers)) for step in range(num_steps)]

    assert layers("all", 2, 3) == [[0, 1, 2]] * 2
    assert layers("progressive", 3, 6) == [[1], [3], [5]]
    assert layers("stacked", 3, 3) == [[0], [0, 1], [0, 1, 2]]
    assert layers("progressive", 4, 2) == [[0], [0], [1], [1]]
    assert layers("progressive", 1, 3) == [[2]]
    assert layers("stacked", 1, 3) == layers("all", 1, 3)


def test_the_inner_loss_adds_the_mean_over_the_layers_that_count(tiny_encoder: Encoder) -> None:
    case, phi, theta = problem(tiny_encoder, hidden=HiddenTerm("cosine", "progressive", 2))
    theta = {name: part.float() for name, part in theta.items()}
    data = case.materialise(phi).map(lambda part: part.detach().float())
    assert data.hidden_labels is not None
    assert isinstance(case.inner_loss, InnerLoss)
    plain = case.inner_loss(data._replace(hidden_labels=None), theta)
    states = tiny_encoder.forward(theta, data.x).hidden
    for step in (0, 1):
        own, weights = data.hidden_labels.of_block(step)
        share = hidden_divergence(states[step], own, weights, "cosine")
        whole = case.inner_loss.of_step(step)(data, theta)
        assert whole.item() == pytest.approx((plain + share).item(), rel=1e-5)


@pytest.fixture(scope="module", params=["bert", "distilbert", "mean"])
def encoder(request, tiny_encoder, tiny_distilbert) -> Encoder:
    if request.param == "distilbert":
        return load_encoder(str(tiny_distilbert))
    is_mean = request.param == "mean"
    pooling = "mean" if is_mean else "first"
    return tiny_encoder._replace(config=tiny_encoder.config._replace(pooling=pooling))


@pytest.mark.parametrize(
    ("term", "given"),
    [
        (HiddenTerm("cosine", "all", 2), {"num_steps": 2, "attention": "none", "blocks": 2}),
        (HiddenTerm("mse", "progressive", 3), {"num_steps": 3, "accumulate": True}),
        (HiddenTerm("mse", "stacked", 3), {"num_steps": 3, "dropout": 0.3}),
    ],
    ids=["all", "progressive", "stacked"],
)
def test_every_method_gives_the_slope(encoder: Encoder, term: HiddenTerm, given: dict) -> None:
    case = problem(encoder, hidden=term, learns_hidden_weight=True, learn_lr="per_step", **given)
    assert {"hidden", "hidden_weights"} <= set(case[1])
    assert_slopes(METHODS, *case)
    oracle = unrolled(*case)
    each = Combination("unrestricted", "cls", term.num_steps, "per_step", False)
    _assert_equal(METHODS["stepwise"](*case), oracle, each)
    for room in (2**40, 30_000, 0):  # everything of a step is kept, some, nothing
        tight = case[0]._replace(activation_bytes=room)
        _assert_equal(METHODS["blockwise"](tight, *case[1:]), oracle, each)


def test_encoders_that_the_library_runs_have_hidden_labels_too(tmp_path) -> None:
    other = load_encoder(
        str(
            save_library_model(
                tmp_path / "electra", "electra", [f"w{index}" for index in range(20)]
            )
        )
    )
    case = problem(
        other, hidden=HiddenTerm(), attention="none", learns_hidden_weight=True, num_steps=2
    )
    assert_slopes(["stepwise", "unrolled"], *case)


def test_at_the_states_of_the_samples_the_loss_is_least_and_still_teaches(
    tiny_encoder: Encoder,
) -> None:
    for loss in HIDDEN_LOSSES:
        case, phi, theta = problem(tiny_encoder, hidden=HiddenTerm(loss), attention="none")
        states = torch.stack(tiny_encoder.forward(theta, phi["x"]).hidden, 1).detach()
        if loss == "mse":
            states = torch.nn.functional.layer_norm(states, states.shape[-1:])
        phi = {**phi, "hidden": states.requires_grad_()}
        data = case.materialise(phi)
        without = case.inner_loss(data._replace(hidden_labels=None), theta)
        assert (case.inner_loss(data, theta) - without).item() == pytest.approx(0, abs=1e-8)
        assert METHODS["blockwise"](case, phi, theta).grads["hidden"].norm() > 1e-6


@pytest.fixture(scope="module")
def hidden_settings(settings):
    own = settings.distilled._replace(
        hidden_labels="cls",
        learn_hidden_weight=True,
        hidden_weight=0.5,
        hidden_schedule="stacked",
        num_steps=2,
    )
    outer = settings.outer._replace(num_steps=3, method="blockwise")
    return settings._replace(distilled=own, outer=outer, validations=1)


@pytest.fixture(scope="module")
def folder(hidden_settings, tmp_path_factory):
    return distill(task_of(hidden_settings, Silent(), tmp_path_factory.mktemp("hidden"))).folder


@pytest.mark.parametrize("loss", HIDDEN_LOSSES)
def test_they_start_as_they_are_told_to(hidden_settings, tmp_path, reporter, loss) -> None:
    def start(kind: str) -> tuple[dict, dict, Encoder]:
        own = hidden_settings.distilled._replace(hidden_init=kind, hidden_loss=loss)
        task = task_of(hidden_settings._replace(distilled=own), reporter, tmp_path)
        bench = open_bench(task, ("train",))
        theta = bench.starts.of_outer_step(0)
        return initial_phi(bench, own.synthetic(2, 1)), theta, bench.encoder

    noise, *_ = start("noise")
    phi, theta, encoder = start("samples")
    assert torch.equal(noise["x"], phi["x"]), "the other draws stay as they are"
    assert noise["hidden"].shape == phi["hidden"].shape == (2, 2, 16)
    assert 0.7 < noise["hidden"].std() < 1.3
    states = torch.stack(encoder.forward(theta, phi["x"]).hidden, 1)
    if loss == "mse":
        states = torch.nn.functional.layer_norm(states, states.shape[-1:])
    torch.testing.assert_close(phi["hidden"], states)
    torch.testing.assert_close(phi["hidden_weights"].exp(), torch.full((2,), 0.5))


def test_an_artifact_has_them_and_trains_its_learners_with_them(
    folder, hidden_settings, tmp_path, reporter
) -> None:
    artifact = load_artifact(folder)
    assert artifact.manifest["format"] == "stillhouse.distilled.v3"
    inner = artifact.manifest["inner_loss"]
    assert (inner["hidden_loss"], inner["hidden_schedule"]) == ("cosine", "stacked")
    assert artifact.data.hidden_labels is not None
    weights = artifact.data.hidden_labels.weights
    assert weights.shape == (2, 2)
    assert not torch.equal(weights, torch.full((2, 2), 0.5))
    without = artifact._replace(data=artifact.data._replace(hidden_labels=None))
    learner, other = (each.train(init_seed=11) for each in (artifact, without))
    assert any(not torch.equal(learner.params[n], other.params[n]) for n in other.params)
    texts = ["goal match team", "bank shares"]
    outcome = run_task("evaluate", hidden_settings, [11], folder, tmp_path, reporter)
    assert outcome.inits[0].init_seed == 11
    again = run_task(
        "evaluate", hidden_settings, [11], folder, tmp_path / "v", reporter, Variation()
    )
    assert again.inits[0].loss == outcome.inits[0].loss, "a variation that varies nothing"
    assert learner.logits(texts).isfinite().all()


def test_inspection_says_how_near_a_learner_comes_to_them(folder, tiny_encoder) -> None:
    artifact = load_artifact(folder)
    samples = inspected(artifact, 1)["samples"]
    states = torch.stack(learner_output(artifact, tiny_encoder).hidden, 1)
    assert artifact.data.hidden_labels is not None
    for index, sample in enumerate(samples):
        weights, cosines = zip(*sample["hidden"], strict=True)
        assert weights == tuple(artifact.data.hidden_labels.weights[index].tolist())
        label = artifact.data.hidden_labels.states[index]
        expected = torch.cosine_similarity(states[index], label, dim=-1)
        assert cosines == pytest.approx(expected.tolist(), abs=1e-4)
    without = artifact._replace(data=artifact.data._replace(hidden_labels=None))
    assert all(sample["hidden"] is None for sample in inspected(without, 1)["samples"])


def test_a_run_is_resumed_to_the_same_bytes(
    folder, hidden_settings, tmp_path, make_reporter
) -> None:
    task = task_of(hidden_settings, make_reporter(stop_after=2), tmp_path)
    with pytest.raises(Stopped):
        distill(task)
    outcome = distill(task._replace(reporter=Silent()))
    name = "distilled.safetensors"
    assert (outcome.folder / name).read_bytes() == (folder / name).read_bytes()


def test_learned_weights_are_metrics_of_each_step(hidden_settings, tmp_path, reporter) -> None:
    outer = hidden_settings.outer._replace(num_steps=2)
    outcome = distill(task_of(hidden_settings._replace(outer=outer), reporter, tmp_path))
    found = [(n, s, v) for n, s, v in reporter.metrics if n.startswith("hidden_weight_")]
    assert [(name, step) for name, step, _ in found] == [
        (f"hidden_weight_{layer}", step) for step in (1, 2) for layer in (1, 2)
    ]
    hidden = load_artifact(outcome.folder).data.hidden_labels
    assert hidden is not None
    assert hidden.weights[0].tolist() == pytest.approx([value for *_, value in found[2:]])


def test_data_without_them_keeps_its_format(distilled) -> None:
    artifact = load_artifact(distilled.folder)
    assert artifact.data.hidden_labels is None
    assert artifact.manifest["format"] == "stillhouse.distilled.v1"
    assert not any(key.startswith("hidden") for key in artifact.manifest["inner_loss"])


def test_half_of_the_tensors_is_damage(folder, tmp_path) -> None:
    own = shutil.copytree(folder, tmp_path / "artifact")
    tensors = load_file(own / "distilled.safetensors")
    del tensors["hidden_weights"]
    facts = {"format": "stillhouse.distilled.v3"}
    write_tensors(own / "distilled.safetensors", tensors, facts)
    manifest = json.loads((own / "manifest.json").read_text())
    digest = hashlib.sha256((own / "distilled.safetensors").read_bytes()).hexdigest()
    manifest["sha256"] = {"distilled.safetensors": digest}
    (own / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StillhouseError, match="one of hidden_labels and hidden_weights alone"):
        load_artifact(own)


def test_a_variation_does_without_and_another_shape_has_to(folder, tiny_encoder) -> None:
    data = load_artifact(folder).data
    assert labelled(Variation(steps=3), data).hidden_labels is data.hidden_labels
    assert labelled(Variation(without_hidden_labels=True), data).hidden_labels is None
    three = DistilledData(data.x, data.class_labels, None, data.lrs)._replace(
        hidden_labels=HiddenLabels.weighted(torch.zeros(2, 3, 16), torch.ones(3))
    )
    with pytest.raises(StillhouseError, match="hidden labels are for 3 layers"):
        check_fit(Variation(), three, tiny_encoder)
