"""`python -m promo_svc`: serves PromotionService until SIGTERM."""

from meshkit.lifecycle import main
from promo_svc.app import running
from promo_svc.settings import Settings

main(running, Settings, process="promo_svc")
