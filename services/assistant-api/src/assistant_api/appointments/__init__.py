"""A clinic's calendar: free slots, booking, moving, cancelling, and forgetting patients.

`calendar` and `outcomes` are pure; every other module is one verb over the table `appointments`, the only place where
patients' data is.
"""
