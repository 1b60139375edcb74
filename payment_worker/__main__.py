from meshkit.lifecycle import main
from payment_worker.app import running
from payment_worker.settings import Settings

if __name__ == "__main__":
    main(running, Settings, process="payment_worker")
