# ruff: noqa: F403  (the constructors of each family)
from .alexnets import *
from .catalogue import build as build
from .catalogue import describe as describe
from .catalogue import list_architectures as list_architectures
from .configs import config_of as config_of
from .configs import write_config as write_config
from .constructor import architecture as architecture
from .constructor import variant as variant
from .convmixers import *
from .convnexts import *
from .cspnets import *
from .darknets import *
from .dcgans import *
from .densenets import *
from .dilated_segmentations import *
from .edsrs import *
from .eegnets import *
from .efficientnets import *
from .fc_densenets import *
from .ghostnets import *
from .googlenets import *  # type: ignore[assignment]  # tables of the same name, which are not public
from .hrnets import *
from .inception_resnets import *  # type: ignore[assignment]
from .inceptions_v3 import *  # type: ignore[assignment]
from .inceptions_v4 import *  # type: ignore[assignment]
from .lenets import *
from .linknets import *
from .mixers import *
from .mnasnets import *
from .mobilenets import *
from .mobilenets_v3 import *  # type: ignore[assignment]
from .nasnets import *
from .origins import origin as origin
from .pix2pixs import *
from .pyramid_segmentations import *
from .recipes import Recipe as Recipe
from .recipes import Schedule as Schedule
from .recipes import recipe as recipe
from .regnets import *
from .repvggs import *
from .res2nets import *
from .resnests import *
from .resnets import *  # type: ignore[assignment]
from .segmentations import *
from .segnets import *
from .shufflenets import *
from .squeezenets import *
from .super_resolutions import *
from .swins import *
from .tcns import *
from .unets import *
from .vggs import *
from .videos import *
from .vits import *
from .wavenets import *
from .weights import inflate_kernel as inflate_kernel
from .weights import load as load
from .xceptions import *
