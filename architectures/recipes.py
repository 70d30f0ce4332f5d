"""How the papers trained their networks, as data: nothing here imports Keras before it is asked for callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .. import checks
from .catalogue import find


@dataclass(frozen=True)
class Schedule:
    """How a learning rate falls.

    Args:
        kind: `"plateau"`, divided where the validation no longer improves; `"steps"`, at each of `at`; `"exponential"`,
            every `every`.
        factor: by which it is multiplied each time.
        at, every: in `unit`s.
    """

    kind: Literal["plateau", "steps", "exponential"]
    factor: float
    at: tuple[float, ...] = ()
    every: float = 1.0
    unit: Literal["epochs", "iterations"] = "epochs"

    def multiple(self, elapsed: float) -> float:
        """What the learning rate has been multiplied by after so many units.

        Example:
            >>> Schedule("steps", 0.1, at=(30, 60)).multiple(45), Schedule("exponential", 0.5, every=2).multiple(5)
            (0.1, 0.25)
        """
        passed = elapsed // self.every if self.kind == "exponential" else sum(elapsed >= step for step in self.at)
        return self.factor**passed


@dataclass(frozen=True)
class Recipe:
    """The settings of a training, None where the source does not say.

    Args:
        source: where it says so.
        optimizer: name in `keras.optimizers`, or what it is where Keras has none.
        options: of the optimizer, with Keras's names.
        learning_rate: the first.
        weight_decay: of the squared weights halved, in the loss. Keras's optimizers call another thing so; it is a
            regulariser, `conv=partial(conv, kernel_regularizer=L2(weight_decay / 2))`, which reaches every kernel.
        label_smoothing: of one-hot labels.
        aux_weight: of the loss of each auxiliary head.
        batch_norm_momentum: where it is not Keras's 0.99.
        augmentation: what is done to images, in words.
        also: what else the source says.
    """

    source: str
    optimizer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None
    schedule: Schedule | None = None
    batch_size: int | None = None
    epochs: int | None = None
    iterations: int | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    aux_weight: float | None = None
    batch_norm_momentum: float | None = None
    augmentation: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def callbacks(self) -> list[Any]:
        """Make the callbacks for `fit` that lower the learning rate as the schedule says, once an epoch.

        None of them where there is no schedule, or where it counts iterations: then the optimizer has it
        (`compile_args`).
        """
        import keras

        plan, first = self.schedule, self.learning_rate
        if plan is None or plan.unit == "iterations":
            return []
        if plan.kind == "plateau":
            return [keras.callbacks.ReduceLROnPlateau(factor=plan.factor)]
        # From the rate that the optimizer begins with, so that another one falls in the same way.
        begun: list[float] = [] if first is None else [first]

        def rate(epoch: int, now: float) -> float:
            if not begun:
                begun.append(now)
            return begun[0] * plan.multiple(epoch)

        return [keras.callbacks.LearningRateScheduler(rate)]


_CROPS = ("random 224×224 crops of images whose shorter side is 256", "horizontal flips")
_PCA = "colours shifted along their principal components"
_MOMENTUM = {"momentum": 0.9}
_PLATEAU = Schedule("plateau", 0.1)
_MOVING_AVERAGE = {"use_ema": True, "ema_momentum": 0.9999}

_LECUN = Recipe(
    "LeCun et al. 1998, section III.B and appendix C",
    "stochastic diagonal Levenberg-Marquardt",
    learning_rate=5e-4,
    batch_size=1,
    epochs=20,
    also=("learning rates 5e-4 (2 epochs), 2e-4 (3), 1e-4 (3), 5e-5 (4), 1e-5", "Keras lacks the optimizer"),
)
_ALEXNET = Recipe(
    "Krizhevsky et al. 2012, sections 4 and 5",
    "SGD",
    _MOMENTUM,
    learning_rate=0.01,
    schedule=_PLATEAU,
    batch_size=128,
    epochs=90,
    weight_decay=5e-4,
    augmentation=(*_CROPS, _PCA),
)
_ZFNET = Recipe(
    "Zeiler and Fergus 2014, section 3.1",
    "SGD",
    _MOMENTUM,
    learning_rate=0.01,
    schedule=_PLATEAU,
    batch_size=128,
    epochs=70,
    augmentation=("the four corners and the centre of 256×256 images, 224×224 each", "horizontal flips"),
    also=("filters of the first layer whose root mean square exceeds 0.1 are scaled back to it",),
)
_GOOGLENET = Recipe(
    "Szegedy et al. 2015, sections 5 and 6",
    "SGD",
    _MOMENTUM,
    schedule=Schedule("exponential", 0.96, every=8),
    aux_weight=0.3,
    augmentation=("crops of 8 to 100 % of the area, of aspect 3/4 to 4/3", "photometric distortions"),
    also=("Polyak averaging of the weights for use", "the first learning rate and the batch are not given"),
)
_INCEPTION_V3 = Recipe(
    "Szegedy et al. 2016, sections 7 and 8; auxiliary weight, decays and averaging of the authors' code",
    "RMSprop",
    {"rho": 0.9, "epsilon": 1.0, "global_clipnorm": 2.0, **_MOVING_AVERAGE},
    learning_rate=0.045,
    schedule=Schedule("exponential", 0.94, every=2),
    batch_size=32 * 50,
    epochs=100,
    weight_decay=4e-5,
    label_smoothing=0.1,
    aux_weight=0.4,
    batch_norm_momentum=0.9997,
    also=("50 replicas of 32 images each, asynchronous",),
)
_VGG = Recipe(
    "Simonyan and Zisserman 2015, section 3.1",
    "SGD",
    _MOMENTUM,
    learning_rate=0.01,
    schedule=_PLATEAU,
    batch_size=256,
    epochs=74,
    iterations=370_000,
    weight_decay=5e-4,
    augmentation=(
        "random 224×224 crops of images whose shorter side is 256, 384 or from 256 to 512",
        "horizontal flips",
        _PCA,
    ),
    also=("the deeper ones begin with the first four convolutions and the dense layers of A",),
)
_RESNET = Recipe(
    "He et al. 2016, section 3.4",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    schedule=_PLATEAU,
    batch_size=256,
    iterations=600_000,
    weight_decay=1e-4,
    augmentation=("random 224×224 crops of images whose shorter side is from 256 to 480", "horizontal flips", _PCA),
)
_CIFAR_RESNET = Recipe(
    "He et al. 2016, section 4.2",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    schedule=Schedule("steps", 0.1, at=(32_000, 48_000), unit="iterations"),
    batch_size=128,
    iterations=64_000,
    weight_decay=1e-4,
    augmentation=("32×32 crops of images padded by 4 pixels", "horizontal flips"),
)
_WARM_UP = ("a learning rate of 0.01 for the first 400 iterations",)
_RESNET_V2 = replace(
    _RESNET,
    source="He et al. 2016b, section 5 and appendix",
    schedule=Schedule("steps", 0.1, at=(30, 60)),
    iterations=None,
    epochs=90,
    augmentation=("crops of random size and aspect", "horizontal flips"),
)
_SE = Recipe(
    "Hu et al. 2018, section 6.1",
    "SGD",
    _MOMENTUM,
    learning_rate=0.6,
    schedule=Schedule("steps", 0.1, at=(30, 60, 90)),
    batch_size=1024,
    epochs=100,
    augmentation=("224×224 crops of random size and aspect", "horizontal flips"),
)
_ECA = replace(
    _SE,
    source="Wang et al. 2020, section 4.1",
    learning_rate=0.1,
    batch_size=256,
    weight_decay=1e-4,
)
_NESTEROV = {"momentum": 0.9, "nesterov": True}
_DENSENET = Recipe(
    "Huang et al. 2017, section 4.2",
    "SGD",
    _NESTEROV,
    learning_rate=0.1,
    schedule=Schedule("steps", 0.1, at=(30, 60)),
    batch_size=256,
    epochs=90,
    weight_decay=1e-4,
    augmentation=("as He et al. 2016",),
)
_RESNET_D = Recipe(
    "He et al. 2019, sections 2 to 5",
    "SGD",
    _NESTEROV,
    learning_rate=0.4,
    batch_size=1024,
    epochs=120,
    weight_decay=1e-4,
    label_smoothing=0.1,
    augmentation=("crops of random size and aspect", "horizontal flips", "colours and their principal components"),
    also=(
        "the learning rate grows from 0 for 5 epochs and falls as a cosine after them",
        "no weight decay of biases and norms",
        "200 epochs with mixup of 0.2; distilled from a ResNet-152-D",
    ),
)
_RESNEST = Recipe(
    "Zhang et al. 2020, section 5.1",
    "SGD",
    _MOMENTUM,
    learning_rate=3.2,
    batch_size=8192,
    epochs=270,
    weight_decay=1e-4,
    label_smoothing=0.1,
    augmentation=("AutoAugment", "crops of random size and aspect", "horizontal flips", "mixup of 0.2"),
    also=(
        "the learning rate grows from 0 for 5 epochs and falls as a cosine after them",
        "no weight decay of biases and norms",
        "dropout of 0.2 before the classifier, and DropBlock in the last two stages",
    ),
)
_RES2NET = replace(_ECA, source="Gao et al. 2021, section 4.1")
_REPVGG = Recipe(
    "Ding et al. 2021, section 4.1",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    batch_size=256,
    epochs=120,
    weight_decay=1e-4,
    augmentation=("crops of random size and aspect", "horizontal flips"),
    also=("the learning rate falls as a cosine",),
)
_GHOSTNET = Recipe(
    "Han et al. 2020, section 4.2",
    "SGD",
    _MOMENTUM,
    learning_rate=0.4,
    batch_size=1024,
    also=("trained as ShuffleNet v2, with a larger learning rate",),
)
_DARKNET = Recipe(
    "Redmon and Farhadi 2018, section 2.4, as DarkNet-19 in section 3 of their paper of 2017",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    epochs=160,
    weight_decay=5e-4,
    augmentation=("random crops and rotations", "hue, saturation and exposure"),
    also=("the learning rate falls as (1 - step/steps)^4", "10 epochs more on images of 448×448, from 0.001 on"),
)
_CSPDARKNET = Recipe(
    "Bochkovskiy et al. 2020, section 4.1",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    batch_size=128,
    iterations=8_000_000,
    weight_decay=5e-3,
    label_smoothing=0.1,
    augmentation=("CutMix", "Mosaic"),
    also=("the learning rate grows from 0 for 1,000 steps and falls as a polynomial after them",),
)
_CSPNET = Recipe(
    "Wang et al. 2020b, the authors' configurations csresnet50.cfg and csresnext50.cfg",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    batch_size=128,
    iterations=800_000,
    weight_decay=5e-4,
    augmentation=("random crops, rotations and aspects", "hue, saturation and exposure"),
    also=("the learning rate grows from 0 for 1,000 steps and falls as (1 - step/steps)^4 after them",),
)
_CIFAR_DENSENET = replace(
    _DENSENET,
    schedule=Schedule("steps", 0.1, at=(150, 225)),
    batch_size=64,
    epochs=300,
    augmentation=("shifts", "horizontal flips"),
    also=("dropout of 0.2 where images are not augmented",),
)
_OF_FACEBOOK: dict[str, Any] = {
    "learning_rate": 0.1,
    "schedule": Schedule("steps", 0.1, at=(30, 60, 90)),
    "batch_size": 256,
    "weight_decay": 1e-4,
    "augmentation": ("crops of random size and aspect", "horizontal flips", _PCA),
}
_RESNEXT = Recipe("Xie et al. 2017, section 4; schedule of fb.resnet.torch", "SGD", _MOMENTUM, **_OF_FACEBOOK)
_WIDE_RESNET = Recipe(
    "Zagoruyko and Komodakis 2016, section 3; settings of fb.resnet.torch", "SGD", _NESTEROV, **_OF_FACEBOOK
)
_REGNET = Recipe(
    "Radosavovic et al. 2020, appendix C",
    "SGD",
    _MOMENTUM,
    learning_rate=0.8,
    batch_size=1024,
    epochs=100,
    weight_decay=5e-5,
    also=(
        "the learning rate grows for 5 epochs and falls along half a cosine",
        "smaller batches, and learning rates in proportion, for large networks",
    ),
)
_MNASNET = Recipe(
    "Tan et al. 2019, section 5",
    "RMSprop",
    {"rho": 0.9, "momentum": 0.9},
    learning_rate=0.256,
    schedule=Schedule("exponential", 0.97, every=2.4),
    batch_size=4096,
    weight_decay=1e-5,
    also=("the learning rate grows from 0 in the first 5 epochs", "dropout of 0.2 after the last convolution"),
)
_SHUFFLENET = Recipe(
    "Ma et al. 2018, section 4; settings of Zhang et al. 2018",
    "SGD",
    learning_rate=0.5,
    batch_size=1024,
    iterations=300_000,
    weight_decay=4e-5,
    also=("the learning rate falls linearly to 0",),
)
_SQUEEZENET = Recipe(
    "Iandola et al. 2016, section 3.3; batch and decay of its Caffe files",
    "SGD",
    _MOMENTUM,
    learning_rate=0.04,
    batch_size=512,
    iterations=170_000,
    weight_decay=2e-4,
    also=("the learning rate falls linearly to 0",),
)
_XCEPTION = Recipe(
    "Chollet 2017, section 4.3",
    "SGD",
    {**_MOMENTUM, **_MOVING_AVERAGE},
    learning_rate=0.045,
    schedule=Schedule("exponential", 0.94, every=2),
    weight_decay=1e-5,
    also=("Polyak averaging, by Keras's moving average, whose momentum the paper does not give",),
)
_MOBILENET = Recipe(
    "Howard et al. 2017, section 3.2; decays of the authors' code",
    "RMSprop",
    weight_decay=4e-5,
    batch_norm_momentum=0.9997,
    also=("asynchronous, as Inception-v3", "little or no weight decay on depthwise kernels", "little augmentation"),
)
_MOBILENET_V2 = Recipe(
    "Sandler et al. 2018, section 6.1; decay of the norms of the authors' code",
    "RMSprop",
    {"rho": 0.9, "momentum": 0.9},
    learning_rate=0.045,
    schedule=Schedule("exponential", 0.98),
    batch_size=16 * 96,
    weight_decay=4e-5,
    batch_norm_momentum=0.997,
    also=("16 replicas of 96 images each, asynchronous",),
)
_EFFICIENTNET = Recipe(
    "Tan and Le 2019, section 5.2",
    "RMSprop",
    {"rho": 0.9, "momentum": 0.9},
    learning_rate=0.256,
    schedule=Schedule("exponential", 0.97, every=2.4),
    weight_decay=1e-5,
    augmentation=("AutoAugment",),
    also=("stochastic depth of survival 0.8", "dropout grows from 0.2 for B0 to 0.5 for B7"),
)
_EFFICIENTNET_V2 = Recipe(
    "Tan and Le 2021, section 5.1",
    "RMSprop",
    {"rho": 0.9, "momentum": 0.9, **_MOVING_AVERAGE},
    learning_rate=0.256,
    schedule=Schedule("exponential", 0.97, every=2.4),
    batch_size=4096,
    epochs=350,
    weight_decay=1e-5,
    augmentation=("RandAugment", "mixup"),
    also=(
        "the learning rate grows from 0 first",
        "four stages of 87 epochs, in which image size and regularisation grow",
        "stochastic depth of survival 0.8",
    ),
)
_CONVNEXT = Recipe(
    "Liu et al. 2022, table 5",
    "AdamW",
    {"beta_1": 0.9, "beta_2": 0.999, "weight_decay": 0.05, **_MOVING_AVERAGE},
    learning_rate=4e-3,
    batch_size=4096,
    epochs=300,
    label_smoothing=0.1,
    augmentation=("RandAugment (9, 0.5)", "mixup of 0.8", "CutMix of 1.0", "random erasing of 0.25"),
    also=(
        "the learning rate grows from 0 for 20 epochs and falls as a cosine after them",
        "stochastic depth of 0.1, 0.4, 0.5, 0.5 for T, S, B, L",
        "weight decay is AdamW's own, apart from the loss",
        "XL is trained on ImageNet-22K first, for 90 epochs",
    ),
)
_CONVNEXT_V2 = Recipe(
    "Woo et al. 2023, fine-tuning of B in the authors' code",
    "AdamW",
    {"beta_1": 0.9, "beta_2": 0.999, "weight_decay": 0.05, **_MOVING_AVERAGE},
    learning_rate=2.5e-3,
    batch_size=1024,
    epochs=100,
    label_smoothing=0.1,
    augmentation=("RandAugment (9, 0.5)", "mixup of 0.8", "CutMix of 1.0", "random erasing of 0.25"),
    also=(
        "before it 1,600 epochs as a masked autoencoder",
        "the learning rate grows from 0 for 20 epochs and falls as a cosine after them, less in earlier layers",
        "stochastic depth of 0.1",
    ),
)
_VIT = Recipe(
    "Dosovitskiy et al. 2021, section 4.1 and table 3, on ImageNet",
    "Adam",
    {"beta_1": 0.9, "beta_2": 0.999, "global_clipnorm": 1.0},
    learning_rate=3e-3,
    batch_size=4096,
    epochs=300,
    also=(
        "the learning rate grows from 0 for 10,000 iterations and falls as a cosine after them",
        "weight decay of 0.3; the paper does not say whether in the loss",
        "dropout of 0.1",
        "the best ones are trained on JFT-300M or ImageNet-21k first",
    ),
)
_SWIN = Recipe(
    "Liu et al. 2021, section 4.1 and appendix A2.1",
    "AdamW",
    {"beta_1": 0.9, "beta_2": 0.999, "weight_decay": 0.05, "global_clipnorm": 1.0},
    learning_rate=1e-3,
    batch_size=1024,
    epochs=300,
    augmentation=("RandAugment", "mixup", "CutMix", "random erasing"),
    also=(
        "the learning rate grows from 0 for 20 epochs and falls as a cosine after them",
        "stochastic depth of 0.2, 0.3, 0.5 for T, S, B",
        "weight decay is AdamW's own, apart from the loss",
    ),
)
_SWIN_V2 = replace(
    _SWIN,
    source="Liu et al. 2022b, the authors' configurations",
    options={**_SWIN.options, "global_clipnorm": 5.0},
    label_smoothing=0.1,
)
_MIXER = Recipe(
    "Tolstikhin et al. 2021, section 3",
    "Adam",
    {"beta_1": 0.9, "beta_2": 0.999, "global_clipnorm": 1.0},
    batch_size=4096,
    also=(
        "the learning rate grows from 0 for 10,000 iterations and falls in a line after them",
        "weight decay, RandAugment, mixup, dropout and stochastic depth by network and data (appendix)",
    ),
)
_CONVMIXER = Recipe(
    "Trockman and Kolter 2022, section 3",
    "AdamW",
    augmentation=("RandAugment", "mixup", "CutMix", "random erasing"),
    also=("the learning rate is a triangle", "the norm of gradients is clipped"),
)
_MOBILENET_V3 = Recipe(
    "Howard et al. 2019, section 6.1.1",
    "RMSprop",
    {"momentum": 0.9, **_MOVING_AVERAGE},
    learning_rate=0.1,
    schedule=Schedule("exponential", 0.99, every=3),
    batch_size=4096,
    weight_decay=1e-5,
    batch_norm_momentum=0.99,
    augmentation=("as Inception",),
    also=("dropout of 0.2, which the paper says as 0.8 that are kept",),
)
_INCEPTION_RESNET = Recipe(
    "Szegedy et al. 2017, section 4; decay of the norms of the authors' code",
    "RMSprop",
    {"rho": 0.9, "epsilon": 1.0, **_MOVING_AVERAGE},
    learning_rate=0.045,
    schedule=Schedule("exponential", 0.94, every=2),
    batch_norm_momentum=0.9997,
    also=("20 replicas", "a running average of the parameters, by Keras's, whose momentum the paper does not give"),
)
_NASNET = Recipe(
    "Zoph et al. 2018, appendix A; decay of the norms of the authors' code",
    "RMSprop",
    {"rho": 0.9, "epsilon": 1.0},
    label_smoothing=0.1,
    aux_weight=0.4,
    batch_norm_momentum=0.9997,
    also=(
        "ScheduledDropPath: branches of a cell are left out, the more the longer the training",
        "the learning rate is not given",
    ),
)
_FCN = Recipe(
    "Long et al. 2015, section 4.3",
    "SGD",
    _MOMENTUM,
    learning_rate=1e-4,
    batch_size=20,
    weight_decay=5e-4,
    also=("begins with the weights of VGG-16", "biases learn twice as fast"),
)
_UNET = Recipe(
    "Ronneberger et al. 2015, section 3",
    "SGD",
    {"momentum": 0.99},
    batch_size=1,
    augmentation=("shifts and rotations", "elastic deformations of a 3×3 grid by 10 pixels", "grey values"),
    also=("cross-entropy weighted by a map that parts touching cells", "the learning rate is not given"),
)
_ATTENTION_UNET = Recipe(
    "Oktay et al. 2018, section 4",
    "Adam",
    augmentation=("affine transformations", "flips along axes", "random crops"),
    also=("Dice loss", "batches of 2 to 4 volumes", "deep supervision", "gates let everything pass at first"),
)
_RESUNET = Recipe(
    "Zhang et al. 2018, section III",
    "SGD",
    learning_rate=0.001,
    schedule=Schedule("exponential", 0.1, every=20),
    batch_size=8,
    epochs=50,
    also=("mean squared error",),
)
_VNET = Recipe(
    "Milletari et al. 2016, section 4",
    "SGD",
    {"momentum": 0.99},
    learning_rate=1e-4,
    schedule=Schedule("exponential", 0.1, every=25_000, unit="iterations"),
    batch_size=2,
    iterations=30_000,
    augmentation=("deformations by splines on a 2×2×2 grid", "histograms of other volumes"),
    also=("Dice loss",),
)
_UNET_PLUS_PLUS = Recipe(
    "Zhou et al. 2020, section IV",
    "Adam",
    learning_rate=3e-4,
    also=("cross-entropy and Dice loss, of all four outputs alike", "stops when the validation no longer improves"),
)

_DEEPLAB_V3 = Recipe(
    "Chen et al. 2017, section 4.1",
    "SGD",
    batch_size=16,
    iterations=30_000,
    augmentation=("513×513 crops of images scaled by 0.5 to 2", "horizontal flips"),
    also=(
        "the learning rate falls from 0.007 as (1 - step/iterations)^0.9",
        "then 30,000 iterations more at an output stride of 8, from 0.001 on and without training the norms",
        "begins with weights trained on ImageNet",
    ),
)
_SEGNET = Recipe(
    "Badrinarayanan et al. 2017, section 4",
    "SGD",
    _MOMENTUM,
    learning_rate=0.1,
    batch_size=12,
    also=("classes weighted by the median of their frequencies", "begins with the weights of VGG-16"),
)
_LINKNET = Recipe(
    "Chaurasia and Culurciello 2017, section 4",
    "RMSprop",
    learning_rate=5e-4,
    also=("rare classes weigh more", "begins with weights trained on ImageNet"),
)
_PSPNET = Recipe(
    "Zhao et al. 2017, section 5.1",
    "SGD",
    _MOMENTUM,
    batch_size=16,
    weight_decay=1e-4,
    aux_weight=0.4,
    augmentation=("mirrored", "scaled by 0.5 to 2", "turned by up to 10 degrees", "blurred"),
    also=(
        "the learning rate falls from 0.01 as (1 - step/iterations)^0.9",
        "150,000 iterations on ADE20K, 30,000 on PASCAL VOC, 90,000 on Cityscapes",
    ),
)
_SEMANTIC_FPN = Recipe(
    "Kirillov et al. 2019, section 5",
    "SGD",
    learning_rate=0.01,
    schedule=Schedule("steps", 0.1, at=(40_000, 55_000), unit="iterations"),
    batch_size=32,
    iterations=65_000,
    augmentation=("512×1024 crops of images scaled by 0.5 to 2", "colours"),
)
_FC_DENSENET = Recipe(
    "Jégou et al. 2017, section 4.1",
    "RMSprop",
    learning_rate=1e-3,
    schedule=Schedule("exponential", 0.995),
    batch_size=3,
    weight_decay=1e-4,
    augmentation=("224×224 crops", "horizontal flips"),
    also=("then whole images, from 1e-4 on", "stops when the validation no longer improves"),
)
_HRNET = Recipe(
    "Wang et al. 2020, appendix D",
    "SGD",
    {"momentum": 0.9, "nesterov": True},
    learning_rate=0.1,
    schedule=Schedule("steps", 0.1, at=(30, 60, 90)),
    batch_size=256,
    epochs=100,
    weight_decay=1e-4,
)
_LRASPP = Recipe(
    "Howard et al. 2019, section 6.4.1",
    "SGD",
    also=("trained as DeepLabV3, without weights trained on ImageNet",),
)
_VIDEOS = Recipe(
    "Tran et al. 2018, section 4.1",
    "SGD",
    learning_rate=0.01,
    schedule=Schedule("steps", 0.1, at=(10, 20, 30, 40)),
    epochs=45,
    augmentation=("112×112 crops of frames of 128×171", "clips of 8 or 16 frames from anywhere in a video"),
    also=(
        "epochs of a million clips",
        "32 clips on each GPU, as many GPUs as are not said",
        "the learning rate grows in the first 10 epochs",
    ),
)

_WAVENET = Recipe(
    "van den Oord et al. 2018 (Parallel WaveNet), section 5; that of van den Oord et al. 2016 says nothing of it",
    "Adam",
    {"use_ema": True},
    learning_rate=2e-4,
    batch_size=32,
    iterations=1_000_000,
    also=(
        "pieces of 7,680 samples",
        "Polyak averaging, by Keras's moving average, whose momentum the paper does not give",
    ),
)
_TCN = Recipe(
    "Bai et al. 2018, appendix A; batch, epochs and schedule of the authors' code for MNIST",
    "Adam",
    learning_rate=2e-3,
    schedule=Schedule("steps", 0.1, at=(10,)),
    batch_size=64,
    epochs=20,
)
_EEGNET = Recipe(
    "Lawhern et al. 2018, section 2.2.1",
    "Adam",
    epochs=500,
    also=(
        "Keras's own settings of Adam",
        "the epoch that validates best",
        "dropout of 0.5 within a subject, 0.25 across",
    ),
)
_SRCNN = Recipe(
    "Dong et al. 2016, sections 3.3 and 4",
    "SGD",
    _MOMENTUM,
    learning_rate=1e-4,
    also=("mean squared error", "the last layer learns a tenth as fast", "33×33 pieces of images, 21×21 of the result"),
)
_ESPCN = Recipe(
    "Shi et al. 2016, section 3.2",
    "not said",
    learning_rate=0.01,
    also=(
        "mean squared error",
        "the learning rate falls to 0.0001 where the error no longer does",
        "17×17 pieces of small images",
    ),
)
_EDSR = Recipe(
    "Lim et al. 2017, section 4.2",
    "Adam",
    {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
    learning_rate=1e-4,
    schedule=Schedule("exponential", 0.5, every=200_000, unit="iterations"),
    batch_size=16,
    augmentation=("48×48 pieces of small images", "horizontal flips and rotations by 90°"),
    also=("mean absolute error", "×3 and ×4 begin with the weights of ×2"),
)
_GAN = Recipe(
    "Radford et al. 2016, section 4",
    "Adam",
    {"beta_1": 0.5},
    learning_rate=2e-4,
    batch_size=128,
    also=("generator and discriminator in turn, by cross-entropy", "images from -1 to 1"),
)
_PIX2PIX = Recipe(
    "Isola et al. 2017, section 3.3 and appendix 6.2",
    "Adam",
    {"beta_1": 0.5, "beta_2": 0.999},
    learning_rate=2e-4,
    batch_size=1,
    augmentation=("256×256 crops of images of 286×286", "horizontal flips"),
    also=(
        "generator and discriminator in turn, by cross-entropy, the loss of the discriminator halved",
        "for the generator 100 times the mean absolute error besides",
        "batches of 1 to 10 and epochs by data set",
    ),
)

# By name or by module.
RECIPES: dict[str, Recipe] = {
    "lenets": _LECUN,
    "alexnet": _ALEXNET,
    "zfnet": _ZFNET,
    "googlenets": _GOOGLENET,
    "inceptions_v3": _INCEPTION_V3,
    "vggs": _VGG,
    "resnets": _RESNET,
    **dict.fromkeys((f"resnet{depth}_v2" for depth in (18, 34, 50, 101, 152, 200)), _RESNET_V2),
    **dict.fromkeys((f"cifar_resnet{depth}" for depth in (20, 32, 44, 56, 110, 1202)), _CIFAR_RESNET),
    "cifar_resnet110": replace(_CIFAR_RESNET, also=_WARM_UP),
    "cifar_resnet164_v2": replace(_CIFAR_RESNET, source="He et al. 2016b, appendix", also=_WARM_UP),
    "se_resnet50": _SE,
    "resnests": _RESNEST,
    "darknet53": _DARKNET,
    "cspdarknet53": _CSPDARKNET,
    "cspnets": _CSPNET,
    "ghostnets": _GHOSTNET,
    "repvggs": _REPVGG,
    "res2nets": _RES2NET,
    **dict.fromkeys(("resnet50d", "resnet101d", "resnet152d", "resnet200d"), _RESNET_D),
    **dict.fromkeys(("eca_resnet50", "eca_resnet50d", "eca_resnet101d"), _ECA),
    **dict.fromkeys(("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"), _RESNEXT),
    **dict.fromkeys(("wide_resnet50_2", "wide_resnet101_2"), _WIDE_RESNET),
    "regnets": _REGNET,
    "mnasnets": _MNASNET,
    "shufflenets": _SHUFFLENET,
    "squeezenets": _SQUEEZENET,
    "densenets": _DENSENET,
    "cifar_densenet40": _CIFAR_DENSENET,
    "cifar_densenet_bc100": _CIFAR_DENSENET,
    "xceptions": _XCEPTION,
    "mobilenet": _MOBILENET,
    "mobilenet_v2": _MOBILENET_V2,
    "efficientnets": _EFFICIENTNET,
    **dict.fromkeys((f"efficientnet_v2_{name}" for name in ("b0", "b1", "b2", "b3", *"sml")), _EFFICIENTNET_V2),
    "convnexts": _CONVNEXT,
    **dict.fromkeys(
        (f"convnext_v2_{name}" for name in ("atto", "femto", "pico", "nano", "tiny", "base", "large", "huge")),
        _CONVNEXT_V2,
    ),
    "vits": _VIT,
    "swins": _SWIN,
    **dict.fromkeys(("swin_v2_t", "swin_v2_s", "swin_v2_b"), _SWIN_V2),
    "mixers": _MIXER,
    "convmixers": _CONVMIXER,
    "mobilenets_v3": _MOBILENET_V3,
    "inception_resnets": _INCEPTION_RESNET,
    "inceptions_v4": _INCEPTION_RESNET,
    "nasnets": _NASNET,
    "fcn32s": _FCN,
    "fcn16s": _FCN,
    "fcn8s": _FCN,
    "unet": _UNET,
    "attention_unet": _ATTENTION_UNET,
    "resunet": _RESUNET,
    "vnet": _VNET,
    "unet_plus_plus": _UNET_PLUS_PLUS,
    "segnets": _SEGNET,
    "linknets": _LINKNET,
    **dict.fromkeys(("pspnet_resnet50", "pspnet_resnet101"), _PSPNET),
    "deeplab_v3_plus_resnet101": replace(_DEEPLAB_V3, source="Chen et al. 2018, section 4"),
    **dict.fromkeys(("semantic_fpn_resnet50", "semantic_fpn_resnet101"), _SEMANTIC_FPN),
    "hrnets": _HRNET,
    "fc_densenets": _FC_DENSENET,
    "fcn_resnet50": _FCN,
    "fcn_resnet101": _FCN,
    "dilated_segmentations": _DEEPLAB_V3,
    "lraspp_mobilenet_v3_large": _LRASPP,
    "videos": _VIDEOS,
    "wavenets": _WAVENET,
    "tcns": _TCN,
    "eegnets": _EEGNET,
    "srcnn": _SRCNN,
    "espcn": _ESPCN,
    "edsrs": _EDSR,
    "dcgans": _GAN,
    "pix2pixs": _PIX2PIX,
}


@checks.public
def recipe(name: str) -> Recipe:
    """Find how the paper of a network trained it: optimizer, schedule, augmentation, regularisers, as data.

    `compile_args(model, recipe=…)` of `layerblocks.training` uses what Keras has of it. Of a network that is in no
    paper it is the training of the paper that it comes from, which the `source` says.

    Args:
        name: one of `list_architectures()`.

    Raises:
        ValueError: there is no such name; says the nearest.
        TypeError: not a string.

    Example:
        >>> recipe("cifar_resnet56").schedule
        Schedule(kind='steps', factor=0.1, at=(32000, 48000), every=1.0, unit='iterations')
        >>> recipe("vgg16_bn").source
        'Simonyan and Zisserman 2015, section 3.1, which has no such network'
    """
    entry = find(name)
    known = RECIPES.get(name) or RECIPES[entry.module]
    return known if entry.source == "paper" else replace(known, source=f"{known.source}, which has no such network")
