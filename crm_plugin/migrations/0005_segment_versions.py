"""Trigger: a saved version of a segment cannot be changed."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER crm_segment_version_immutable BEFORE UPDATE ON crm_plugin_segmentversion FOR EACH ROW
    EXECUTE FUNCTION crm_refuse_change();
"""
BACKWARD = "DROP TRIGGER crm_segment_version_immutable ON crm_plugin_segmentversion"


class Migration(migrations.Migration):
    dependencies = (("crm_plugin", "0004_activity_indexes"),)

    operations = (migrations.RunSQL(FORWARD, BACKWARD),)
