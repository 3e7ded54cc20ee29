from .server import LocalSimulator as LocalSimulator
from .server import open_local_simulator as open_local_simulator
