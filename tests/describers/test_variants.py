"""Variants as a stage: other captioners, priors and CLIP on mined exemplars, and their scores."""

import numpy as np
import pytest
import torch
from datasets_made import build_dataset
from paths import TESTS
from tiny_checkpoints import save_blip, save_clip, save_gpt2

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.checkpoint import save_captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.features.published import encoder_spec
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import CAPTIONER_FILES
from milan_core.captioner.reading import PUBLISHED_POOLING
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.step import Compute
from milan_core.describers.options import ComposedOptions
from milan_core.describers.sources import ExemplarImages
from milan_core.describers.step import DescribeVariant
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import open_dataset

GOLDEN = TESTS / "data/golden/decoder/decoder.pth"
UNITS, K, F = 3, 2, 5


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A data set, exemplars (the last unit has none), features and a captioner, as a run has."""
    root = tmp_path_factory.mktemp("run")
    options = {"kind": "shapes", "options": {"count": 6, "size": 32}, "seed": 0}
    build_dataset("probe", {"kind": "shapes", **options["options"]}, {}, root / "probe", 0)
    rng = np.random.default_rng(0)
    ids = np.array([[0, 3], [5, 1], [-1, -1]])
    maps = rng.random((UNITS, K, 4, 4), np.float32)
    maps[2] = 0
    levels = np.array([0.5, 0.5, -1], np.float32)
    counts = {"values": np.full(UNITS, 96, np.uint64), "zeros": np.zeros(UNITS, np.uint64)}
    layer = LayerExemplars(
        *(ids, maps.max((2, 3)), levels, np.ones(UNITS, bool)), maps=maps, counts=counts
    )
    ExemplarSet({"conv": layer}, {}).save(root / "exemplars.safetensors")
    features = rng.normal(size=(UNITS, K, F)).astype(np.float16)
    FeatureTable({"exact": features}, [("conv", UNITS)], {"encoder": "e", "dataset": "d"}).save(
        root / "f"
    )
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(("a", "dog", "cat", "red", "circle")))
    decoder = Decoder(F, tokenizer.vocabulary.size, embedding=4, hidden=8)
    captioner = Captioner(decoder, LanguageModel(tokenizer, embedding=4, hidden=8), tokenizer)
    save_captioner(captioner, root / "captioner", {"encoder_hash": "e"})
    return root


def describe(files, out, **spec):
    options = ComposedOptions(**{"beam_size": 4, "length": 6, **spec})
    trained = {
        "captioner": [files / "captioner" / name for name in CAPTIONER_FILES],
        "features": files / "f",
    }
    return run(files, out, options, trained)


def run(files, out, options, trained):
    step = DescribeVariant(
        **trained,
        exemplars=files / "exemplars.safetensors",
        dataset=files / "probe",
        options=options,
        descriptions=out / "descriptions.csv",
        candidates=out / "candidates.csv",
    )
    step.run(Compute())
    return read_csv(out / "descriptions.csv"), read_csv(out / "candidates.csv")


def test_the_default_variant_is_the_main_description(files, tmp_path):
    from milan_core.captioner.checkpoint import load_captioner
    from milan_core.captioner.features.store import load_features

    rows, candidates = describe(files, tmp_path)
    captioner = load_captioner(files / "captioner")
    features = load_features(files / "f").arrays["exact"]
    expected = captioner.decode(features, beam_size=4, length=6)
    assert [row["description"] for row in rows] == expected.captions
    found = [float(row["score"]) for row in rows]
    np.testing.assert_allclose(found, expected.scores, atol=1e-4)
    assert len(candidates) == UNITS * 4
    assert {row["similarity"] for row in candidates} == {""}


def test_blip_with_a_causal_prior(files, tmp_path):
    blip, gpt2 = save_blip(tmp_path / "blip"), save_gpt2(tmp_path / "gpt2")
    rows, candidates = describe(
        files,
        tmp_path / "out",
        captioner={"family": "image_to_text", "source": blip},
        prior={"family": "causal_lm", "source": gpt2},
        temperature=0.7,
    )
    assert [row["unit"] for row in rows] == ["0", "1", "2"]
    for unit, row in enumerate(rows):
        own = [c for c in candidates if c["unit"] == str(unit)]
        scores = [float(c["logp"]) - 0.7 * float(c["logp_lm"]) for c in own]
        assert row["description"] == own[int(np.argmax(scores))]["description"]
        assert float(row["score"]) == pytest.approx(max(scores), abs=1e-3)


def test_clip_chooses_among_the_beams(files, tmp_path):
    clip = {"source": save_clip(tmp_path / "clip"), "weight": 0.5}
    plain, _ = describe(files, tmp_path / "plain")
    rows, candidates = describe(files, tmp_path / "out", clip=clip)
    for unit, row in enumerate(rows):
        own = [c for c in candidates if c["unit"] == str(unit)]
        best = max(own, key=lambda c: float(c["similarity"]))
        assert row["description"] == best["description"]
        assert float(row["logp"]) == pytest.approx(float(best["logp"]), abs=1e-4)
    assert len(plain) == len(rows)


def test_units_are_read_when_asked_for(files):
    from milan_core.exemplars.store import load_exemplars

    exemplars = load_exemplars(files / "exemplars.safetensors")
    images = open_dataset(files / "probe").images
    units = ExemplarImages(exemplars, images, [("conv", 0), ("conv", 2)])
    np.testing.assert_array_equal(units[0].images, images[[0, 3]])
    np.testing.assert_array_equal(units[0].masks, exemplars.masks("conv", 32)[0])
    assert units[1].images.shape == (1, 32, 32, 3)
    assert not units[1].masks.any()


def test_a_missing_checkpoint_is_said_in_one_line(files, tmp_path):
    clip = {"source": str(tmp_path / "nothing"), "weight": 1.0}
    with pytest.raises(UserError, match="no usable CLIP checkpoint"):
        describe(files, tmp_path, clip=clip)


def test_beams_that_weigh_the_prior_word_by_word(files, tmp_path):
    """As the published code proposes descriptions to CLIP."""
    from milan_core.captioner.checkpoint import load_captioner
    from milan_core.captioner.features.store import load_features

    rows, candidates = describe(files, tmp_path / "a", candidates="beam_mi", temperature=0.6)
    features = load_features(files / "f").arrays["exact"]
    captioner = load_captioner(files / "captioner")
    options = {"beam_size": 4, "length": 6, "temperature": 0.6}
    expected = captioner.decode(features, "beam", mi=True, **options)
    assert [row["description"] for row in candidates] == [
        t for texts in expected.beam_captions for t in texts
    ]
    assert [row["description"] for row in rows] == expected.captions
    scores = [float(row["score"]) for row in candidates]
    np.testing.assert_allclose(scores, expected.beam_scores.ravel(), atol=1e-3)
    plain, _ = describe(files, tmp_path / "b", temperature=0.6)
    assert len(plain) == len(rows)
    clip = {"source": save_clip(tmp_path / "clip"), "weight": 1.0}
    rows, candidates = describe(files, tmp_path / "c", candidates="beam_mi", clip=clip)
    assert {row["description"] for row in rows} <= {row["description"] for row in candidates}


def test_a_released_captioner_with_its_own_encoder(files, tmp_path):
    """Nothing that is trained here is read: features come from the published encoder."""
    import milan_core as milan
    from milan_core.captioner.encoder import encoder_of
    from milan_core.networks.zoo import build

    torch.manual_seed(0)
    trunk = build(encoder_spec("resnet18")).eval()
    torch.save(trunk.state_dict(), tmp_path / "resnet18.pth")
    choice = {"family": "released", "source": str(GOLDEN)}
    choice["encoder_weights"] = str(tmp_path / "resnet18.pth")
    options = ComposedOptions(captioner=choice, beam_size=5, length=6, temperature=0.4)
    probe = open_dataset(files / "probe")
    rows, _ = run(files, tmp_path / "out", options, {})
    captioner = milan.load_captioner(GOLDEN)
    encoder = encoder_of(captioner, weights=tmp_path / "resnet18.pth")
    found = milan.load_exemplars(files / "exemplars.safetensors")
    features = encoder.features(*(probe.images, found, 32), pooling=PUBLISHED_POOLING)["conv"]
    expected = captioner.decode(features, beam_size=5, length=6, temperature=0.4)
    assert [row["description"] for row in rows] == expected.captions
    np.testing.assert_allclose([float(r["score"]) for r in rows], expected.scores, atol=1e-3)
    with pytest.raises(UserError, match="'composed' reads a captioner"):
        run(files, tmp_path / "out", ComposedOptions(), {})
