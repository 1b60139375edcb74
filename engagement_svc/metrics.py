"""What engagement_svc counts, beside what every server counts."""

from meshkit.metrics import counter, gauge, histogram

RECOMMENDED = counter("peakmesh_engagement_recommended_total", "products recommended, by reason", ["reason"])
TRAIN_SECONDS = histogram("peakmesh_engagement_train_seconds", "one training, the reading of purchases included")
TRAININGS = counter("peakmesh_engagement_trainings_total", "trainings by how they ended", ["end"])
MODEL_ITEMS = gauge("peakmesh_engagement_model_items", "products that the model knows")
AVATARS = counter("peakmesh_engagement_avatars_total", "pictures by what became of them", ["end"])
