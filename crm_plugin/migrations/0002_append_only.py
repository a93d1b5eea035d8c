"""Triggers: what was written to the consent log and to a published version cannot be changed."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION crm_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER crm_consent_log_append_only BEFORE UPDATE ON crm_plugin_consentevent FOR EACH ROW
    WHEN ((OLD.id, OLD.channel, OLD.is_granted, OLD.source, OLD.text_version, OLD.evidence, OLD.occurred_at)
        IS DISTINCT FROM
        (NEW.id, NEW.channel, NEW.is_granted, NEW.source, NEW.text_version, NEW.evidence, NEW.occurred_at))
    EXECUTE FUNCTION crm_refuse_change();
CREATE TRIGGER crm_version_immutable BEFORE UPDATE ON crm_plugin_campaignversion FOR EACH ROW
    EXECUTE FUNCTION crm_refuse_change();
CREATE TRIGGER crm_template_immutable BEFORE UPDATE ON crm_plugin_template FOR EACH ROW
    EXECUTE FUNCTION crm_refuse_change();
"""

BACKWARD = """
DROP TRIGGER crm_template_immutable ON crm_plugin_template;
DROP TRIGGER crm_version_immutable ON crm_plugin_campaignversion;
DROP TRIGGER crm_consent_log_append_only ON crm_plugin_consentevent;
DROP FUNCTION crm_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = (("crm_plugin", "0001_initial"),)

    operations = (migrations.RunSQL(FORWARD, BACKWARD),)
