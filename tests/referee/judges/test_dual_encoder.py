"""Dual encoders, on tiny checkpoints with random weights."""

import numpy as np
import pytest
from datasets_made import build_dataset
from tiny_checkpoints import save_clip, save_gpt2, save_siglip

from milan_core.core.errors import UserError
from milan_core.referee.judge import (
    JudgedImages,
    JudgeResources,
    load_judge,
    refuse_same_model,
)
from milan_core.referee.judges.dual_encoder import fit_logistic, model_identity
from milan_core.referee.options import DualEncoderOptions

TEXTS = ["a red dog", "the blue circle", "stripes on grass"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dual")
    dataset = build_dataset("scenes", {"kind": "shapes", "count": 40}, {}, folder, 5)
    return JudgedImages(dataset, np.arange(40))


@pytest.fixture(scope="module", params=[save_clip, save_siglip], ids=["clip", "siglip"])
def source(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("model"))


def load(source, **options):
    return load_judge(DualEncoderOptions(source=source, **options), JudgeResources())


def test_columns_are_the_calibrated_cosines_of_the_library(source, images):
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    judge = load(source, scale=8.0, bias=-0.1)
    got = judge.columns(images, TEXTS)
    model = AutoModel.from_pretrained(source).eval()
    pixels = AutoImageProcessor.from_pretrained(source)(
        images=list(np.array(images.dataset.images[:40])), return_tensors="pt"
    )["pixel_values"]
    limit = model.config.text_config.max_position_embeddings
    padding = {"padding": "max_length", "max_length": limit, "return_tensors": "pt"}
    ids = AutoTokenizer.from_pretrained(source)(TEXTS, **padding)
    given = {"input_ids": ids["input_ids"], "pixel_values": pixels}
    if model.config.model_type == "clip":
        given["attention_mask"] = ids["attention_mask"]
    with torch.inference_mode():
        out = model(**given)
    cosines = (out.image_embeds @ out.text_embeds.T).numpy()
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-8 * (cosines - 0.1))), atol=2e-5)
    assert judge.calibration == "as given"


def test_a_text_has_its_column_in_any_company(source, images):
    judge = load(source)
    many = judge.columns(images, [*TEXTS, *(f"dog {k} cat" for k in range(40))])
    np.testing.assert_array_equal(many[:, 1:2], judge.columns(images, TEXTS[1:2]))
    assert many.min() >= 0
    assert many.max() <= 1
    assert judge.image_vectors(images).shape[0] == 40


def test_it_is_calibrated_on_labels_or_on_words(source, images):
    judge = load(source)
    judge.columns(images, TEXTS)
    assert "class names" in judge.calibration or "quantile" in judge.calibration
    judge = load(source)
    vectors = judge.image_vectors(images)
    unlabeled = JudgedImages(_Unlabeled(images.dataset), images.ids)
    (scale, bias), how = judge._calibrated(unlabeled, vectors)
    assert scale == 50
    assert "quantile" in how
    cosines = -bias
    assert -1 <= cosines <= 1


class _Unlabeled:
    def __init__(self, dataset):
        self.images, self.labels = dataset.images, np.full(len(dataset), -1)
        self.classes = []


def test_long_texts_are_flagged(source, images):
    judge = load(source)
    judge.columns(images, ["dog " * 40, "a dog"])
    assert judge.cut == {"dog " * 40}


def test_logistic_fit_finds_the_constants():
    rng = np.random.default_rng(0)
    cosines = rng.normal(0.2, 0.05, 20000)
    truth = rng.random(20000) < 1 / (1 + np.exp(-30 * (cosines - 0.25)))
    scale, bias = fit_logistic(cosines, truth)
    assert scale == pytest.approx(30, rel=0.08)
    assert bias == pytest.approx(-0.25, abs=0.005)
    assert fit_logistic(-cosines, truth) is None
    assert fit_logistic(cosines, np.ones(20000, bool)) is None


def test_the_model_of_a_describer_is_refused_wherever_it_lies(source, tmp_path):
    import shutil

    judge = load(source)
    copy = shutil.copytree(source, tmp_path / "copy")
    with pytest.raises(UserError, match="are the same model"):
        refuse_same_model(judge, "clip_dissect", model_identity(str(copy)))
    refuse_same_model(judge, "clip_dissect", model_identity("openai/clip-vit-base-patch32"))


def test_refusals(tmp_path):
    with pytest.raises(UserError, match="both scale and bias"):
        load("x", scale=2.0)
    with pytest.raises(UserError, match=r"no config\.json"):
        load(str(tmp_path))
    with pytest.raises(UserError, match="a 'gpt2' model, expected clip or siglip"):
        load(save_gpt2(tmp_path / "gpt2"))
    with pytest.raises(UserError, match="no usable CLIP or SigLIP checkpoint"):
        load("nobody/nothing")
