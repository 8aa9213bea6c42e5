"""The receipts: whoever has a report's receipt reads here what its reporter was answered (回音), without any account.

Hears:     `community.*.answers`, for the communities whose streams it may read.
Decides:   nothing.
Says:      nothing on Kafka; `GET /receipts/<receipt>` as a page or as JSON, and `whistle answer show`.
Remembers: each answer and each question, by community and report; of whom they are, nothing. And when each was read
           with a receipt, which no record can make again.
Fails:     a record that can't be read goes to `receipts.dead`; a database away is waited for, and told to who asks; a
           reading that can't be written down is not shown; without the publisher's key it does not begin.
"""
