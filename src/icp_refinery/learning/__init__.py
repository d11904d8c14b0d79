"""What is learned from pursuits and customers: pure functions from frame to frame."""

# Here, because dbt runs models in threads: two that import it at once see it half made. What takes longer to import,
# scikit-learn, is imported where it is used: in the processes that `apart` starts.
import scipy.linalg
import scipy.special
import scipy.stats  # noqa: F401
