"""Adapters: one package a shop, each an implementation of the port ``crm_plugin.shop.Shop`` and its doors.

An adapter knows its platform and tells facts; it decides nothing about marketing and never knows another adapter.
"""
