"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A machine that is busy with other things makes no example wrong.
settings.register_profile("gotask", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gotask")
