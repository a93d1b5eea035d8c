"""Gates: whether a finished message may go to this person now. In order; the first that refuses names the reason.

address, consent, suppression, topic, the law's night, the frequency caps, the campaign's own cap, the merchant's quiet
hours, age, throttles (design, section 3, step 7). A transactional message passes those of consent, topic, night,
frequency and quiet hours. What is held is judged again later from the start; what is skipped is not put off: the
frequency cap of the market (features part 2a, Klaviyo) does not queue up what it held back.

Start reading in ``keeper.py``.
"""

from crm_plugin.messaging.gates.caps import History
from crm_plugin.messaging.gates.hours import Clocks
from crm_plugin.messaging.gates.keeper import Gatekeeper, Planned

__all__ = ["Clocks", "Gatekeeper", "History", "Planned"]
