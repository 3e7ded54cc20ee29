from .server import LocalSimulator as LocalSimulator
from .server import LogLimits as LogLimits
from .server import SimulatorLimits as SimulatorLimits
from .server import open_local_simulator as open_local_simulator
