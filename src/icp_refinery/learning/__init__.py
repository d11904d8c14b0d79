"""What is learned from pursuits and customers: pure functions from frame to frame."""

# Here, because dbt runs models in threads: two that import it at once see it half made.
import sklearn.cluster
import sklearn.ensemble
import sklearn.linear_model
import sklearn.metrics  # noqa: F401
